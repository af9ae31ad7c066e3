"""`revocast doctor`."""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Iterator
from dataclasses import asdict
from typing import Annotated, Final

import typer
from rich.text import Text

from revocast.cli.answer import Answer, AsJson
from revocast.cli.doctor.examination import examine
from revocast.cli.doctor.finding import Finding, Verdict
from revocast.cli.inert import inert

__all__ = ["app"]

app = typer.Typer()

_STYLES: Final = {Verdict.OK: "green", Verdict.WARN: "bold yellow", Verdict.FAIL: "bold red"}
_CODES: Final = {Verdict.OK: 0, Verdict.WARN: 1, Verdict.FAIL: 2}


@app.command()
def doctor(
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds for the start, and for reading a snapshot, at most.")
    ] = 30.0,
    as_json: AsJson = False,
) -> Iterator[Answer]:
    """Would a service with this environment work? Run it where the service runs, with the service's REVOCAST_… variables.

    Looks at the settings, the way to Kafka, topics and rights, trust, the issuer's checkpoints, clocks, a start in rehearsal, the
    newest snapshot, the folder of the local copy, and the key sets of other issuers. Nothing is changed or written.
    Exit codes: 0 all is well, 1 something should be looked at, 2 the service would not work, or not protect.

    \b
    REVOCAST_KAFKA=kafka:9092 REVOCAST_ISSUER=https://issuer.example REVOCAST_AUDIENCE=orders revocast doctor
    """
    # What the guard's parts tell while they try is in the findings.
    logging.getLogger("revocast.sdk").addHandler(logging.NullHandler())
    with asyncio.Runner() as runner:
        findings = examine(dict(os.environ), timeout)
        try:
            while (finding := runner.run(_next(findings))) is not None:
                yield Answer(asdict(finding), _shown(finding), _CODES[finding.verdict])
        finally:
            runner.run(findings.aclose())


async def _next(findings: AsyncGenerator[Finding, None]) -> Finding | None:
    return await anext(findings, None)


def _shown(finding: Finding) -> Text:
    text = Text.assemble(
        (f"{finding.verdict:<5}", _STYLES[finding.verdict]),
        (f"{finding.check:<11}", "bold"),
        inert(finding.says),
    )
    if finding.mend:
        text.append(f"\n{'':<16}→ {inert(finding.mend)}", style="dim")
    return text
