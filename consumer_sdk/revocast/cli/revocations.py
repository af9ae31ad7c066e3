"""`revocast list`."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Group

from revocast.cli.answer import Answer, AsJson, lines, table
from revocast.cli.operator import Operator
from revocast.cli.selectors import named_by
from revocast.cli.settings import operator_settings
from revocast.cli.times import show_time

__all__ = ["app"]

app = typer.Typer()


@app.command("list")
def list_revocations(
    kind: Annotated[
        str | None, typer.Option(help="Only this kind: subject, session, claim:tenant, …")
    ] = None,
    value: Annotated[str | None, typer.Option(help="Only selectors with exactly this value.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those whose time is over.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most this many.")] = 100,
    after: Annotated[str | None, typer.Option(metavar="CURSOR", help="Go on after an earlier page.")] = None,
    as_json: AsJson = False,
) -> Answer:
    """What is refused now, newest first, with who did it and why.

    \b
    revocast list
    revocast list --kind subject --value alice
    """
    with Operator(operator_settings()) as operator:
        page = operator.get(
            "/v1/revocations",
            "revocast:read",
            kind=kind,
            value=value,
            all=everything,
            limit=limit,
            after=after,
        )
    if not page["items"]:
        return Answer(page, lines("nothing is revoked" if not (kind or value) else "no such revocation"))
    shown = table(("n", "what", "slot", "refuses", "until", "by", "reason"), map(_row, page["items"]))
    if page.get("next"):
        return Answer(page, Group(shown, lines(f"more: --after {page['next']}")))
    return Answer(page, shown)


def _row(item: Mapping[str, Any]) -> tuple[object, ...]:
    cutoff = item.get("cutoff")
    return (
        item.get("n", ""),
        named_by(item),
        item["slot"],
        f"issued until {show_time(cutoff)}" if item["slot"] == "cutoff" else "everything",
        show_time(item.get("expires_at")),
        item.get("actor") or "",
        item.get("reason") or "",
    )
