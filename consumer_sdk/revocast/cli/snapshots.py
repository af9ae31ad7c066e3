"""`revocast snapshots`."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from rich.text import Text

from revocast.cli.answer import Answer, AsJson, lines, table
from revocast.cli.errors import FOUND, Misused
from revocast.cli.inert import inert
from revocast.cli.operator import Operator
from revocast.cli.settings import operator_settings
from revocast.cli.times import show_time

__all__ = ["app"]

app = typer.Typer(
    help="Snapshots: from which services start, and behind which the log is truncated.", no_args_is_help=True
)

_PATH = "/v1/snapshots"
_STYLES = {"countersigned": "bold green", "differs": "bold red"}
_SAID = {
    "cut": "cut, and not compared: streams have not written it, or the issuer was started anew since",
    "countersigned": "countersigned: services start from it",
    "differs": "an alarm: streams hold another table than the issuer. Nobody uses it, and the log is kept",
}


@app.command("list")
def list_snapshots(as_json: AsJson = False) -> Answer:
    """Every cut that is remembered, and what became of it. Exit code 1 when the newest that was compared differs."""
    found = _found()
    rows = (
        (
            f"{each['epoch']}/{each['n']}",
            show_time(each["t"]),
            Text(inert(each["state"]), _STYLES.get(each["state"], "dim")),
            "" if each["rows"] is None else each["rows"],
            show_time(each["decided_at"]) if each["decided_at"] else "",
        )
        for each in found["items"]
    )
    return Answer(found, table(("cut", "at", "state", "rows", "compared"), rows), _exit_code(found))


@app.command()
def show(
    n: Annotated[int | None, typer.Argument(help="The cut's record; the newest cut, if left out.")] = None,
    as_json: AsJson = False,
) -> Answer:
    """One snapshot in words: countersigned or not, and the first row that differs.

    \b
    revocast snapshots show
    """
    found = _found()
    chosen = [each for each in found["items"] if n is None or each["n"] == n]
    if not chosen:
        raise Misused("there is no such cut", "See: revocast snapshots list")
    return Answer(chosen[-1], lines(*_report(chosen[-1], found), style=_STYLES.get(chosen[-1]["state"], "")))


@app.command()
def cut(as_json: AsJson = False) -> Answer:
    """Have a snapshot cut now, whether it is time or not."""
    with Operator(operator_settings()) as operator:
        asked = operator.post(_PATH, "revocast:revoke", {})
    return Answer(asked, lines("asked: the relay cuts in a moment", "  See: revocast snapshots show"))


def _found() -> Any:
    with Operator(operator_settings()) as operator:
        return operator.get(_PATH, "revocast:read")


def _exit_code(found: Mapping[str, Any]) -> int:
    compared = [each for each in found["items"] if each["state"] != "cut"]
    return FOUND if compared and compared[-1]["state"] == "differs" else 0


def _report(snapshot: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    yield _SAID.get(snapshot["state"], snapshot["state"])
    yield f"  cut      record {snapshot['n']} of epoch {snapshot['epoch']}, {show_time(snapshot['t'])}"
    if snapshot["rows"] is not None:
        yield f"  rows     {snapshot['rows']}"
    if snapshot["problem"]:
        yield f"  differs  {snapshot['problem']}"
    if found["oldest_epoch"]:
        yield f"  log      begins with record {found['oldest_n']} of epoch {found['oldest_epoch']}"
