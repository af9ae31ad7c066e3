"""What a command answers: data for `--json`, and the same for people.

A command returns an `Answer`, or yields several (`audit tail`); this module alone prints. Contributed commands may also
return a mapping, or print themselves and return None.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from revocast.cli.errors import CliError
from revocast.cli.inert import inert

__all__ = ["Answer", "AsJson", "lines", "print_answers", "print_error", "table"]

_PIPE_WIDTH = 200

AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON; a stream answers one object a line.")]
"""Every command's `--json`. It shows in the help and is accepted there; `app.run` looks for it before parsing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`data` is JSON; `shown` what a person sees; `exit_code` other than 0 says that the answer is bad news."""

    data: Any
    shown: RenderableType
    exit_code: int = 0


def table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Table:
    """A table of inert text."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(cell if isinstance(cell, Text) else Text(inert(cell)) for cell in row))
    return shown


def lines(*parts: str, style: str = "") -> Text:
    """Inert lines; the first one in `style`."""
    first, *rest = (inert(part) for part in parts)
    return Text.assemble((first, style), *(f"\n{line}" for line in rest))


def print_answers(result: object, *, as_json: bool) -> int:
    """Print what a command returned. Returns the exit code."""
    if isinstance(result, Iterator):
        return max((_print(answer, as_json=as_json, stream=True) for answer in result), default=0)
    return 0 if result is None else _print(result, as_json=as_json)


def print_error(error: CliError, *, as_json: bool) -> None:
    """Say on stderr what happened and what to do now."""
    if as_json:
        problem = {"error": error.code, "message": str(error), "hint": error.hint}
        print(json.dumps(problem), file=sys.stderr)
        return
    text = Text.assemble(("error: ", "bold red"), inert(error))
    if error.hint:
        text.append(f"\n{inert(error.hint)}", style="dim")
    Console(stderr=True, soft_wrap=True, highlight=False).print(text)


def _print(result: object, *, as_json: bool, stream: bool = False) -> int:
    answer = result if isinstance(result, Answer) else _answer(result)
    if as_json:
        # ASCII, so that nothing in it reaches a terminal unescaped.
        print(json.dumps(answer.data, indent=None if stream else 2, ensure_ascii=True), flush=stream)
    else:
        # A file or a pipe has no width; a table folded to 80 columns could not be searched.
        width = None if sys.stdout.isatty() else _PIPE_WIDTH
        Console(width=width, soft_wrap=True, highlight=False).print(answer.shown)
    return answer.exit_code


def _answer(result: object) -> Answer:
    data = asdict(result) if is_dataclass(result) and not isinstance(result, type) else result
    if not isinstance(data, Mapping):
        raise TypeError(
            f"a command returned {type(result).__name__}; it may return a mapping, an Answer or None"
        )
    shown = Table.grid(padding=(0, 2))
    for name, value in data.items():
        shown.add_row(Text(inert(name), style="bold"), Text(inert(value)))
    return Answer(dict(data), shown)
