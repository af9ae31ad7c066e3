"""`revocast trust init`."""

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from revocast.cli.answer import Answer, AsJson, lines
from revocast.cli.confirm import Yes, confirm
from revocast.cli.errors import Misused, Refused
from revocast.cli.keys import Algorithm
from revocast.cli.times import show_time
from revocast.cli.trust.ceremony import Days, show_changes, sign_list
from revocast.cli.trust.describe import changes
from revocast.cli.trust.publishing import write_new
from revocast.cli.trust.root_key import Encrypt, NewKeyFile, open_root
from revocast.cli.trust.sources import read_bundle
from revocast.schemas.delegating import LIFETIME_DAYS, first_list
from revocast.schemas.errors import SchemaError
from revocast.schemas.jose import PublicKey
from revocast.schemas.trust import Trust

__all__ = ["app"]

app = typer.Typer()


@app.command()
def init(
    new_root_key: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Make a root key and write it here.")
    ] = None,
    root_key: Annotated[
        str | None,
        typer.Option(
            envvar="REVOCAST_ROOT_KEY", metavar="URI", help="A root that exists: a path, or a signer's URI."
        ),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="The request of `revocast init --root-public`: sign the first list.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write the public half, or the signed list.")
    ] = None,
    alg: Annotated[Algorithm, typer.Option(help="Of a root that is made.")] = Algorithm.EDDSA,
    encrypt: Encrypt = False,
    days: Days = LIFETIME_DAYS,
    yes: Yes = False,
    as_json: AsJson = False,
) -> Answer:
    """The root's part of an installation in which the issuer's host never sees it. On a machine without network.

    \b
    1. offline    revocast trust init --new-root-key root.pem --encrypt --out root.pub.json
    2. issuer     revocast init --issuer https://… --root-public root.pub.json
    3. offline    revocast trust init --from request.json --root-key root.pem --out list.jwt
    4. issuer     revocast init --list list.jwt
    """
    if (new_root_key is None) == (root_key is None):
        raise Misused("one of --new-root-key and --root-key says which root")
    if out is None:
        raise Misused("--out says where to write")
    if root_key is not None and source is not None:
        return _sign_first(root_key, source, out, days, yes=yes, as_json=as_json)
    if source is not None:
        raise Misused("the request names the root that it is for", "Sign with that one: --root-key URI")
    return _public_half(new_root_key, root_key, out, str(alg), encrypt=encrypt)


def _public_half(path: Path | None, root_key: str | None, out: Path, alg: str, *, encrypt: bool) -> Answer:
    if out.exists():
        raise Misused(f"{out} exists already", "Nothing is overwritten: give another path.")
    said = []
    if path is not None:
        made = NewKeyFile.make(path, alg, encrypt=encrypt)
        made.write()
        public = made.key.public
        said.append(f"  root key    {path}: keep it, and a copy of it, where no network reaches")
    else:
        _, public = open_root(root_key or "")
    write_new(out, json.dumps(dict(public.jwk), indent=2).encode() + b"\n")
    said += [
        f"  public      {out}",
        "Write the thumbprint down: services that are given it as REVOCAST_ROOT trust nobody else.",
    ]
    data = {"root": public.kid, "public": str(out), "root_key": str(path) if path else root_key}
    return Answer(data, lines(f"root {public.kid}", *said, style="bold green"))


def _sign_first(root_key: str, source: Path, out: Path, days: int, *, yes: bool, as_json: bool) -> Answer:
    bundle = read_bundle(source)
    signer, root = open_root(root_key)
    if bundle.list is not None:
        raise Misused(
            f"{source}: {bundle.issuer} has a delegation list already", "See: revocast trust --help"
        )
    _check_root(bundle.root, root)
    if out.exists():
        raise Misused(f"{out} exists already", "Nothing is overwritten: give another path.")
    try:
        first = first_list(root, [(key.jwk, key.role) for key in bundle.keys], int(time.time()), days)
    except SchemaError as error:
        raise Misused(f"{source}: {error}") from None
    if not as_json:
        show_changes(f"The first delegation list of {bundle.issuer}:", changes(None, first, (None, root.kid)))
    confirm("Sign this?", yes=yes)
    compact = sign_list(first, bundle.issuer, signer, Trust(bundle.issuer, root.kid))
    write_new(out, compact + b"\n")
    data: dict[str, Any] = {
        "version": 1,
        "epoch": 1,
        "expires_at": first.expires_at,
        "root": root.kid,
        "out": str(out),
    }
    said = [f"  expires  {show_time(first.expires_at)}", f"On the issuer's host: revocast init --list {out}"]
    return Answer(data, lines(f"signed: the first delegation list is in {out}", *said, style="bold green"))


def _check_root(wanted: str, root: PublicKey) -> None:
    if wanted and wanted != root.kid:
        raise Refused(f"the request is for root {wanted}, and this is {root.kid}")
