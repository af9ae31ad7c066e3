"""`revocast block`."""

import time
from typing import Annotated

import typer

from revocast.cli.answer import Answer, AsJson
from revocast.cli.confirm import Yes, confirm
from revocast.cli.selectors import Client, Kind, KindArgument, TokenIssuer, Values, selector_of
from revocast.cli.times import parse_time
from revocast.cli.written import DryRun, Reason, write

__all__ = ["app"]

app = typer.Typer()

Until = Annotated[
    str | None,
    typer.Option("--until", metavar="TIME", help="When the block ends by itself; never, if left out."),
]


@app.command()
def block(
    kind: KindArgument,
    values: Values = None,
    client: Client = None,
    until: Until = None,
    token_issuer: TokenIssuer = None,
    reason: Reason = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> Answer:
    """Refuse everything, old and new, until it is lifted: suspend.

    It stands beside the cutoff of `revoke`; neither ends the other.

    \b
    revocast block subject mallory --reason "fraud case 1042"
    revocast block client ci-runner --until +2h
    revocast block subject alice --client mobile-app

    Exit codes: 0 published, 3 pending (written, not published yet), 4 unreachable, 5 no right, 6 refused.
    """
    selector = selector_of(kind, values or [], client=client, token_issuer=token_issuer)
    if kind in (Kind.ISSUER, Kind.KEY):
        confirm(f"This refuses every token of a whole {kind} until it is lifted. Go on?", yes=yes or dry_run)
    expires_at = parse_time(until, time.time()) if until else None
    body = {
        "selector": selector,
        "slot": "block",
        "expires_at": expires_at,
        "reason": reason,
        "dry_run": dry_run,
    }
    return write("/v1/revocations", "revocast:revoke", body)
