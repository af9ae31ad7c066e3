"""`revocast status`."""

from collections.abc import Iterator, Mapping
from typing import Any

import typer

from revocast.cli.answer import Answer, AsJson, lines
from revocast.cli.errors import FOUND
from revocast.cli.operator import Operator
from revocast.cli.settings import operator_settings
from revocast.cli.times import show_time
from revocast.cli.written import MEND

__all__ = ["app"]

app = typer.Typer()


@app.command()
def status(as_json: AsJson = False) -> Answer:
    """The authority at a glance: is everything published, is the relay alive, what needs attention?

    Exit code 1 when the relay refuses to publish.
    """
    with Operator(operator_settings()) as operator:
        found = operator.get("/v1/status", "revocast:read")
    behind = found["n"] - found["published_n"]
    worrying = behind or found["relay"]["problem"] or found["warnings"]
    refusing = found["relay"]["state"] == "refusing"
    style = "bold red" if refusing else "bold yellow" if worrying else "bold green"
    return Answer(found, lines(*_report(found, behind), style=style), FOUND if refusing else 0)


def _report(found: Mapping[str, Any], behind: int) -> Iterator[str]:
    relay = found["relay"]
    if relay["problem"]:
        yield f"the relay is {relay['state']}: {relay['problem']}"
    if relay["state"] == "refusing":
        yield MEND
    yield f"{behind} records are not on Kafka yet" if behind else f"all published: n = {found['n']}"
    yield f"  issuer       {found['issuer']}, epoch {found['epoch']}, last record of {show_time(found['t'])}"
    yield f"  root         {found['root']}"
    yield f"  table        {found['table']['rows']} rows, sha256 {found['table']['digest']}"
    yield f"  keys         key set {found['key_set_version']}, delegations {found['delegations_version']} until {show_time(found['delegations_expire_at'])}"
    yield f"  relay        {relay['state']}"
    if relay["checkpoint_at"]:
        yield f"  checkpoint   {show_time(relay['checkpoint_at'])}"
    for warning in found["warnings"]:
        yield f"  warning      {warning}"
