"""Writing a revocation or a lift, and saying what it does: shared by `revoke`, `block` and `lift`."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from rich.text import Text

from revocast.cli.answer import Answer
from revocast.cli.errors import PENDING, CliError
from revocast.cli.inert import inert
from revocast.cli.operator import Operator
from revocast.cli.selectors import named_by
from revocast.cli.settings import operator_settings
from revocast.cli.times import show_time

__all__ = ["MEND", "DryRun", "Reason", "receipt", "write"]

Reason = Annotated[
    str | None, typer.Option("--reason", "-r", help="Why; kept in the issuer's database and in audit.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")]

_HEADLINES = {
    "published": "published as n = {n}",
    "pending": "pending as n = {n}: Kafka is away; the issuer publishes it as soon as Kafka is back",
    "dry_run": "dry run, nothing was written; it would be n = {n}",
}
MEND = (
    "Nothing is published until that is solved: stop every issuer that writes here and run `revocast recover --dry-run`. "
    "See docs/operating.md, Restore."
)
"""What to do about a relay that is `refusing`."""

_STYLES = {"published": "bold green", "pending": "bold yellow"}


def write(path: str, scope: str, body: Mapping[str, Any]) -> Answer:
    """POST to the operator API and answer with the receipt."""
    with Operator(operator_settings()) as operator:
        return receipt(operator, operator.post(path, scope, body))


def receipt(operator: Operator, data: Mapping[str, Any]) -> Answer:
    """`published as n = 7`, then a line for each row on what is refused from now on."""
    status, n = str(data["status"]), inert(data["n"])
    rows = [effect_of(row) for row in data["revocations"]]
    headline = (
        _HEADLINES[status].format(n=n) if data.get("changed", True) else f"nothing to do: so it is at n = {n}"
    )
    if status == "pending" and (problem := _refusal(operator)):
        headline = f"pending as n = {n}: {inert(problem)}\n{MEND}"
    shown = Text.assemble((headline, _STYLES.get(status, "bold")), *(f"\n  {inert(row)}" for row in rows))
    return Answer(dict(data), shown, PENDING if status == "pending" else 0)


def _refusal(operator: Operator) -> str | None:
    """Why the relay refuses to publish, if it does and this operator may know."""
    try:
        relay = operator.get("/v1/status", "revocast:read")["relay"]
    except CliError:
        return None  # the revocation is written: that is the answer, with the reason or without
    return f"the relay refuses to publish: {relay['problem']}" if relay["state"] == "refusing" else None


def effect_of(row: Mapping[str, Any]) -> str:
    """What one written row does, in a sentence."""
    return " ".join(_sentence(row))


def _sentence(row: Mapping[str, Any]) -> Iterator[str]:
    words, slot = named_by(row), row["slot"]
    if row.get("lift"):
        yield f"lifts the {slot} of {words}"
        return
    yield f"refuses every token of {words}" if not words.startswith("token") else f"refuses {words}"
    if slot == "cutoff":
        yield f"issued at or before {show_time(row.get('cutoff'))}"
    expires_at = row.get("expires_at")
    yield "until lifted" if expires_at is None else f"(needed until {show_time(expires_at)})"
