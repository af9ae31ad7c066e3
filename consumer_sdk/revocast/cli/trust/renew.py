"""`revocast trust renew`."""

import typer

from revocast.cli.answer import Answer, AsJson
from revocast.cli.confirm import Yes
from revocast.cli.trust.ceremony import Days, Out, ceremony
from revocast.cli.trust.root_key import RootKey
from revocast.cli.trust.sources import FromFile, FromKafka
from revocast.schemas.delegating import LIFETIME_DAYS

__all__ = ["app"]

app = typer.Typer()


@app.command()
def renew(
    root_key: RootKey,
    days: Days = LIFETIME_DAYS,
    source: FromFile = None,
    kafka: FromKafka = False,
    out: Out = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> Answer:
    """Sign the list in force anew, with a new expiry. Once a year, and before it expires: then services trust nothing.

    \b
    revocast trust renew --root-key /media/root/root.pem
    revocast trust renew --root-key root.pem --from request.json --out list.jwt
    """
    with ceremony(root_key, source, kafka=kafka) as opened:
        successor = opened.known.in_force.renewed(opened.now, days)
        return opened.conclude(successor, out=out, yes=yes, as_json=as_json)
