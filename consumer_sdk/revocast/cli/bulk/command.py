"""`revocast revoke-many`."""

import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Annotated, Final

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from revocast.cli.answer import Answer, AsJson, lines
from revocast.cli.bulk.bad_lines import BadLines
from revocast.cli.bulk.parts import Form, LineFile
from revocast.cli.bulk.undertaking import Totals, Undertaking
from revocast.cli.confirm import Yes, confirm
from revocast.cli.errors import FOUND, PENDING, CliError, Misused
from revocast.cli.inert import inert
from revocast.cli.operator import Operator
from revocast.cli.settings import operator_settings
from revocast.cli.written import DryRun, Reason

__all__ = ["app"]

app = typer.Typer()

_ASKS_ABOVE: Final = 1000
_SAYS_EVERY_S: Final = 5.0

File = Annotated[str, typer.Argument(metavar="FILE", help="The file, gzip or not; `-` is stdin.")]
FormOption = Annotated[
    Form | None, typer.Option("--form", help="By the file's name, or its first line, if left out.")
]
KindOption = Annotated[
    str | None,
    typer.Option("--kind", metavar="KIND", help="Of lines that do not say theirs; `token` if left out."),
]
SlotOption = Annotated[
    str | None,
    typer.Option("--slot", metavar="SLOT", help="Of lines that do not say theirs: `cutoff` or `block`."),
]
BadLinesOption = Annotated[
    Path | None,
    typer.Option(
        "--bad-lines", metavar="FILE", help="Write the numbers of bad lines and what is wrong there."
    ),
]
Resume = Annotated[
    str | None,
    typer.Option(
        "--resume", metavar="OPERATION:LINE", help="Go on behind this line, as an interruption said."
    ),
]


class Interrupted(CliError):
    """Ctrl-C."""

    code = "interrupted"
    exit_code = 130


@app.command("revoke-many")
def revoke_many(
    file: File,
    form: FormOption = None,
    kind: KindOption = None,
    slot: SlotOption = None,
    reason: Reason = None,
    bad_lines: BadLinesOption = None,
    resume: Resume = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> Answer:
    """Revoke what is in a file: a list of values, CSV, or JSON lines.

    It is sent in parts. Each is done when it is answered; repeating one changes nothing. Bad lines are left out and
    told by number. A value is a token's jti unless --kind or the line says otherwise; a token is blocked, and anything
    else needs a slot.

    \b
    revocast revoke-many leaked-jtis.txt --reason "incident 7"
    revocast revoke-many users.txt --kind subject --slot cutoff --dry-run
    revocast revoke-many mixed.csv            kind,value,value2,issuer,slot,cutoff,expires_at
    revocast revoke-many mixed.jsonl.gz       {"selector": {"kind": "subject", "values": ["alice"]}, "slot": "block"}
    … | revocast revoke-many - --yes

    Exit codes: 0 published, 1 some lines were bad, 3 pending (written, not published yet), 4 unreachable, 5 no right,
    6 refused, 130 interrupted.
    """
    operation, line = _place(resume)
    totals = Totals(operation, line)
    with ExitStack() as stack:
        raw = stack.enter_context(_opened(file))
        source = LineFile(raw, file, form)
        source.skip(line)
        bad = stack.enter_context(BadLines(bad_lines))
        operator = stack.enter_context(Operator(operator_settings()))
        query = {"kind": kind, "slot": slot, "reason": reason, "file": "" if file == "-" else Path(file).name}
        given: dict[str, str | bool] = {name: text for name, text in query.items() if text}
        undertaking = Undertaking(operator, totals, {**given, "dry_run": dry_run}, bad.add)
        if not dry_run and not yes and source.has_more_than(_ASKS_ABOVE):
            confirm(f"This revokes what is in more than {_ASKS_ABOVE:,} lines. Go on?", yes=yes)
        try:
            _show(undertaking.run(source), raw, _size_of(file))
        except KeyboardInterrupt:
            raise Interrupted("interrupted", _how_to_go_on(file, totals)) from None
        except CliError as error:
            error.hint = f"{error.hint}\n{_how_to_go_on(file, totals)}".strip()
            raise
    return _answer(totals)


def _place(resume: str | None) -> tuple[str, int]:
    if resume is None:
        return uuid.uuid4().hex, 0
    operation, colon, line = resume.rpartition(":")
    if not operation or not colon or not (line.isascii() and line.isdecimal()):
        raise Misused("--resume takes OPERATION:LINE", "The interrupted command printed it.")
    return operation, int(line)


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    if file == "-":
        yield sys.stdin.buffer
        return
    with ExitStack() as stack:
        try:
            opened = stack.enter_context(Path(file).open("rb"))
        except OSError as error:
            raise Misused(f"{file} cannot be read: {error.strerror}") from None
        yield opened


def _size_of(file: str) -> int | None:
    return Path(file).stat().st_size if file != "-" and Path(file).is_file() else None


def _show(steps: Iterator[Totals], raw: IO[bytes], size: int | None) -> None:
    """Progress on stderr: a bar on a terminal, else a line now and then."""
    console = Console(stderr=True)
    if not console.is_terminal:
        _say(steps, console)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task, began = progress.add_task("revoking", total=size), time.monotonic()
        for totals in steps:
            rate = totals.rows / max(time.monotonic() - began, 0.001)
            done = raw.tell() if size is not None else 0
            progress.update(task, completed=done, description=f"{totals.line:,} lines, {rate:,.0f} rows/s")


def _say(steps: Iterator[Totals], console: Console) -> None:
    began = said = time.monotonic()
    for totals in steps:
        now = time.monotonic()
        if now - said >= _SAYS_EVERY_S:
            said = now
            console.print(
                f"{totals.line:,} lines, {totals.rows / (now - began):,.0f} rows/s", highlight=False
            )


def _how_to_go_on(file: str, totals: Totals) -> str:
    if not totals.line:
        return "Nothing is known to be done; the same command again is harmless."
    return (
        f"Done up to line {totals.line:,}: {totals.rows:,} rows. Go on with the same command and --resume {totals.resume}"
        + (" and the whole input again." if file == "-" else "")
    )


def _answer(totals: Totals) -> Answer:
    verb = "would write" if totals.status == "dry_run" else "wrote"
    counts = (
        f"{totals.line:,} lines: {verb} {totals.rows:,} rows in {totals.records:,} records, "
        f"{totals.unchanged:,} said nothing new, {totals.bad:,} bad"
    )
    place = f"operation {totals.operation}"
    match totals.status:
        case "dry_run":
            headline, style = "dry run, nothing was written", "bold"
        case "published":
            headline, style = f"published up to n = {totals.n}", "bold green"
        case _:
            headline, style = (
                f"pending up to n = {totals.n}: durable, and published as soon as Kafka takes it",
                "bold yellow",
            )
    code = FOUND if totals.bad else PENDING if totals.status == "pending" else 0
    return Answer(asdict(totals), lines(headline, f"  {counts}", f"  {inert(place)}", style=style), code)
