"""`revocast explain`."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.text import Text

from revocast.cli.answer import Answer, AsJson, table
from revocast.cli.errors import FOUND
from revocast.cli.inert import inert
from revocast.cli.operator import Operator
from revocast.cli.selectors import words_of
from revocast.cli.settings import operator_settings
from revocast.cli.times import show_time
from revocast.cli.token_input import read_token

__all__ = ["app"]

app = typer.Typer()

TokenFile = Annotated[
    str | None,
    typer.Argument(
        metavar="[FILE]", help="The file that holds the token; `-` is stdin. You are asked if left out."
    ),
]


@app.command()
def explain(
    token_file: TokenFile = None,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 if the token is refused.")] = False,
    as_json: AsJson = False,
) -> Answer:
    """What a service would answer to a token, and which revocation stands behind it.

    \b
    revocast explain token.jwt
    pbpaste | revocast explain -
    """
    token = read_token(token_file)
    with Operator(operator_settings()) as operator:
        found = operator.post("/v1/explain", "revocast:read", {"token": token})
    accepted = found["answer"] == "accepted"
    headline = Text.assemble(
        (inert(found["answer"]), "bold green" if accepted else "bold red"),
        "" if accepted else f": {inert(found['reason'])}",
    )
    rows = [row for selector in found["selectors"] for row in _rows(selector)]
    shown = Group(headline, table(("the token's", "fingerprint", "slot", "says", ""), rows))
    return Answer(found, shown, 0 if accepted or not check else FOUND)


def _rows(found: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    words, fingerprint = words_of(found["selector"]), found["fingerprint"]
    if not found["rows"]:
        yield words, fingerprint, "", "", ""
    refused_by = list(found.get("refused_by") or ())
    for row in found["rows"]:
        says = f"issued until {show_time(row.get('cutoff'))}" if row["slot"] == "cutoff" else "everything"
        refuses = row in refused_by
        yield (
            words,
            fingerprint,
            row["slot"],
            says,
            Text("refuses this token", "red") if refuses else "not this token",
        )
