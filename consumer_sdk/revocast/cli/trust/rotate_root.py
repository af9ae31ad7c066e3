"""`revocast trust rotate-root`."""

from pathlib import Path
from typing import Annotated

import typer

from revocast.cli.answer import Answer, AsJson
from revocast.cli.confirm import Yes
from revocast.cli.errors import Misused
from revocast.cli.keys import Algorithm
from revocast.cli.trust.ceremony import Days, Out, ceremony
from revocast.cli.trust.root_key import Encrypt, NewKeyFile, RootKey, open_root
from revocast.cli.trust.sources import FromFile, FromKafka
from revocast.schemas.delegating import LIFETIME_DAYS
from revocast.schemas.jose import PublicKey
from revocast.schemas.signer import Signer

__all__ = ["app"]

app = typer.Typer()


@app.command("rotate-root")
def rotate_root(
    root_key: RootKey,
    new_root_key: Annotated[
        str,
        typer.Option(
            metavar="URI", help="The new root. A path at which nothing is yet: the key is made there."
        ),
    ],
    alg: Annotated[Algorithm, typer.Option(help="Of a root that is made.")] = Algorithm.EDDSA,
    encrypt: Encrypt = False,
    days: Days = LIFETIME_DAYS,
    source: FromFile = None,
    kafka: FromKafka = False,
    out: Out = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> Answer:
    """Hand over to a new root, which the old one signs. Readers follow, also those that slept through several.

    Destroy the old one afterwards, and pin the new thumbprint where REVOCAST_ROOT is set.

    \b
    revocast trust rotate-root --root-key root.pem --new-root-key root-2.pem --encrypt
    """
    with ceremony(root_key, source, kafka=kafka) as opened:
        signer, public, made = _new_root(new_root_key, str(alg), encrypt=encrypt)
        known, in_force = opened.known, opened.known.in_force
        if public.kid in known.roots:
            raise Misused("the new root is, or was, a root of this deployment", "Take one that never was.")
        # Nothing is signed before its holder agrees: that the roots change is shown by their names.
        opened.agree(in_force.renewed(opened.now, days), public.kid, out=out, yes=yes, as_json=as_json)
        if made:
            made.write()
        roots = in_force.listed.roots.handed_over(opened.signer, public, known.issuer)
        return opened.deliver(in_force.rooted(roots, opened.now, days), out=out, by=(signer, public))


def _new_root(uri: str, alg: str, *, encrypt: bool) -> tuple[Signer, PublicKey, NewKeyFile | None]:
    path = Path(uri)
    if ":" in uri or path.exists():
        return (*open_root(uri), None)
    made = NewKeyFile.make(path, alg, encrypt=encrypt)
    return made.key, made.key.public, made
