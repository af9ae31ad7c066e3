"""`revocast lift`."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from revocast.cli.answer import Answer, AsJson
from revocast.cli.errors import Misused
from revocast.cli.selectors import Client, OptionalKind, TokenIssuer, Values, selector_of
from revocast.cli.written import DryRun, Reason, write

__all__ = ["app"]

app = typer.Typer()


class Slot(StrEnum):
    """The two independent places of a selector."""

    BLOCK = "block"
    CUTOFF = "cutoff"


@app.command()
def lift(
    kind: OptionalKind = None,
    values: Values = None,
    slot: Annotated[Slot, typer.Option("--slot", help="Which of the two to empty.")] = Slot.BLOCK,
    fingerprint: Annotated[
        str | None,
        typer.Option(
            "--fingerprint", metavar="HEX", help="Instead of KIND and VALUE: as `revocast list` shows it."
        ),
    ] = None,
    client: Client = None,
    token_issuer: TokenIssuer = None,
    reason: Reason = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> Answer:
    """End a block, or take a cutoff back. Each is lifted by its own name; the other one stays.

    \b
    revocast lift subject mallory                   ends the block
    revocast lift subject alice --slot cutoff       tokens from before the sign-out work again

    Exit codes: 0 published, 3 pending (written, not published yet), 4 unreachable, 5 no right, 6 refused.
    """
    if (kind is None) == (fingerprint is None):
        raise Misused("give either KIND and its VALUE, or --fingerprint")
    named: dict[str, Any] = {"fingerprint": fingerprint}
    if kind is not None:
        named = {"selector": selector_of(kind, values or [], client=client, token_issuer=token_issuer)}
    body = {**named, "slot": str(slot), "reason": reason, "dry_run": dry_run}
    return write("/v1/lifts", "revocast:lift", body)
