"""`revocast trust distrust`."""

from typing import Annotated

import typer

from revocast.cli.answer import Answer, AsJson
from revocast.cli.confirm import Yes
from revocast.cli.errors import Misused
from revocast.cli.trust.ceremony import Days, Out, ceremony
from revocast.cli.trust.root_key import RootKey
from revocast.cli.trust.sources import FromFile, FromKafka
from revocast.schemas.delegating import LIFETIME_DAYS

__all__ = ["app"]

app = typer.Typer()


@app.command()
def distrust(
    root_key: RootKey,
    kids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KID]...", help="Keys that sign tokens: see `revocast keys list`."),
    ] = None,
    issuer: Annotated[bool, typer.Option("--issuer", help="The whole issuer: every token of it.")] = False,
    again: Annotated[bool, typer.Option("--again", help="End the distrust: trust them again.")] = False,
    days: Days = LIFETIME_DAYS,
    source: FromFile = None,
    kafka: FromKafka = False,
    out: Out = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> Answer:
    """Break-glass: every service refuses what these keys signed, or everything, until the root says otherwise.

    It needs the root, and somebody who may write to Kafka; the issuer and its database may be down, or in wrong hands.
    While the issuer is well, `revocast keys revoke` is the way to end a token-signing key.

    \b
    revocast trust distrust h7Zk… --root-key root.pem
    revocast trust distrust --issuer --root-key root.pem --kafka
    revocast trust distrust --issuer --again --root-key root.pem --kafka
    """
    if not kids and not issuer:
        raise Misused("whom to distrust?", "Give kids, or --issuer.")
    with ceremony(root_key, source, kafka=kafka) as opened:
        in_force = opened.known.in_force
        decide = in_force.trusting_again if again else in_force.distrusting
        successor = decide(kids or (), opened.now, days, issuer=issuer)
        return opened.conclude(successor, out=out, yes=yes, as_json=as_json)
