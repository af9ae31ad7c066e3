"""`revocast trust delegate`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from revocast.cli.answer import Answer, AsJson
from revocast.cli.confirm import Yes
from revocast.cli.errors import Misused
from revocast.cli.keys import Algorithm
from revocast.cli.trust.ceremony import Ceremony, Days, Out, ceremony
from revocast.cli.trust.event_keys import EventAlgorithm, pending_key
from revocast.cli.trust.root_key import Encrypt, NewKeyFile, RootKey
from revocast.cli.trust.sources import FromFile
from revocast.schemas.delegating import LIFETIME_DAYS
from revocast.schemas.delegations import Role

__all__ = ["app"]

app = typer.Typer()


@app.command()
def delegate(
    root_key: RootKey,
    kid: Annotated[
        str | None, typer.Argument(help="A pending event key; the newest one, or a fresh one, if left out.")
    ] = None,
    new_snapshot_key: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Make a snapshot key, write it here, and delegate that instead."),
    ] = None,
    alg: EventAlgorithm = Algorithm.EDDSA,
    days: Days = LIFETIME_DAYS,
    source: FromFile = None,
    out: Out = None,
    encrypt: Encrypt = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> Answer:
    """Let another key sign for the issuer, beside those that may: the first half of a rotation.

    A new event key signs from then on; what the old one signed stays good. Then retire the old one.

    \b
    revocast trust delegate --root-key root.pem
    revocast trust delegate --root-key root.pem --from request.json --out list.jwt
    revocast trust delegate --root-key root.pem --new-snapshot-key snapshot-2.pem
    """
    if kid and new_snapshot_key:
        raise Misused("a KID and --new-snapshot-key: a list takes one new key at a time")
    with ceremony(root_key, source) as opened:
        made = NewKeyFile.make(new_snapshot_key, str(alg), encrypt=encrypt) if new_snapshot_key else None
        jwk, role = (
            (made.key.public.jwk, Role.SNAPSHOT) if made else (_event_key(opened, kid, alg), Role.EVENT)
        )
        successor = opened.known.in_force.delegated([(jwk, role)], opened.now, days)
        opened.agree(successor, opened.root.kid, out=out, yes=yes, as_json=as_json)
        if made:
            made.write()
        return opened.deliver(successor, out=out)


def _event_key(opened: Ceremony, kid: str | None, alg: Algorithm) -> Mapping[str, Any]:
    if kid is None:
        return pending_key(opened.known, opened.operator, alg).jwk
    key = opened.known.key(kid)
    if key.state != "pending":
        raise Misused(f"{kid} is {key.state}, not pending", "See: revocast trust show")
    return key.jwk
