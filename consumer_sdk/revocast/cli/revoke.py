"""`revocast revoke`."""

import time
from typing import Annotated

import typer

from revocast.cli.answer import Answer, AsJson
from revocast.cli.confirm import Yes, confirm
from revocast.cli.keys import revoke_key
from revocast.cli.selectors import Client, Kind, KindArgument, TokenIssuer, Values, selector_of
from revocast.cli.times import parse_time
from revocast.cli.token_input import looks_like_a_token, read_token
from revocast.cli.written import DryRun, Reason, write

__all__ = ["app"]

app = typer.Typer()

TokenFile = Annotated[
    str | None,
    typer.Option(
        "--token-file", "-f", metavar="FILE", help="With `token`: the file that holds it; `-` is stdin."
    ),
]
At = Annotated[
    str | None,
    typer.Option("--at", metavar="TIME", help="Refuse what was issued at or before then; now, if left out."),
]


@app.command()
def revoke(
    kind: KindArgument,
    values: Values = None,
    token_file: TokenFile = None,
    client: Client = None,
    at: At = None,
    token_issuer: TokenIssuer = None,
    reason: Reason = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> Answer:
    """Refuse what was issued until now: sign out, in every service, at once.

    New tokens of the same subject, session, … work. Use `block` to refuse those too.
    A single token is blocked. A key is revoked with everything it signed.

    \b
    revocast revoke subject alice --reason "phone stolen"
    revocast revoke subject alice --client mobile-app
    revocast revoke session 6fHq…
    revocast revoke claim tenant acme
    revocast revoke token 0b0f6c2e-…          by its jti
    revocast revoke token -f stolen.jwt       or - for stdin, or nothing to be asked
    revocast revoke client ci-runner --at 2026-11-24T03:00:00Z
    revocast revoke issuer                    everything: break-glass

    Exit codes: 0 published, 3 pending (written, not published yet), 4 unreachable, 5 no right, 6 refused.
    """
    values = values or []
    if kind is Kind.TOKEN and (not values or looks_like_a_token(values[0])):
        token = read_token(token_file if not values else values[0])
        return write(
            "/v1/revocations", "revocast:revoke", {"token": token, "reason": reason, "dry_run": dry_run}
        )
    selector = selector_of(kind, values, client=client, token_issuer=token_issuer)
    if kind is Kind.KEY:
        return revoke_key(values[0], reason=reason, dry_run=dry_run, yes=yes)
    if kind is Kind.ISSUER:
        confirm(
            "This refuses every token that was issued until now, to everybody. Go on?", yes=yes or dry_run
        )
    cutoff = parse_time(at, time.time()) if at else None
    slot = "block" if kind is Kind.TOKEN else "cutoff"
    body = {"selector": selector, "slot": slot, "cutoff": cutoff, "reason": reason, "dry_run": dry_run}
    return write("/v1/revocations", "revocast:revoke", body)
