"""`revocast trust retire`."""

from typing import Annotated

import typer

from revocast.cli.answer import Answer, AsJson
from revocast.cli.confirm import Yes
from revocast.cli.errors import Misused
from revocast.cli.trust.ceremony import Days, Out, ceremony
from revocast.cli.trust.known import KnownKey, KnownTrust
from revocast.cli.trust.root_key import RootKey
from revocast.cli.trust.sources import FromFile
from revocast.schemas.delegating import LIFETIME_DAYS
from revocast.schemas.delegations import Bound, Role

__all__ = ["app"]

app = typer.Typer()


@app.command()
def retire(
    kid: Annotated[str, typer.Argument(help="An event key that signs no more, or a snapshot key.")],
    root_key: RootKey,
    days: Days = LIFETIME_DAYS,
    source: FromFile = None,
    out: Out = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> Answer:
    """Bound a key to what it has signed: the second half of a rotation. Whoever steals it later can sign nothing new.

    The bound is the last record that it signed, as the issuer says; for a snapshot key, the newest record there is.

    \b
    revocast trust retire h7Zk… --root-key root.pem
    """
    with ceremony(root_key, source) as opened:
        bound = _bound_of(opened.known.key(kid), opened.known)
        successor = opened.known.in_force.retired(kid, bound, opened.now, days)
        return opened.conclude(successor, out=out, yes=yes, as_json=as_json)


def _bound_of(key: KnownKey, known: KnownTrust) -> Bound:
    if key.state == "active":
        raise Misused(
            f"{key.kid} is the event key that signs now", "Delegate another first: revocast trust delegate"
        )
    if key.bound is not None:
        raise Misused(f"{key.kid} has been retired already")
    if known.head is None:
        raise Misused(
            f"{known.origin} does not say what {key.kid} has signed",
            "A bundle does: revocast trust request --out FILE",
        )
    if key.role is Role.SNAPSHOT:
        return known.head
    return key.last or Bound(epoch=known.in_force.listed.epoch, n=0)
