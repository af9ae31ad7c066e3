"""What the demo shows: scenes as they are played, and the summary at the end."""

import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

__all__ = ["Measured", "Played", "Report", "milliseconds", "percentiles"]

_WIDTH = 120  # of what is no terminal


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds until each service refused: after the revoke was called, and after its acknowledgement had arrived."""

    called: Mapping[str, float]
    acknowledged: Mapping[str, float]


@dataclass
class Played:
    """One scene: `refused_after` in seconds by service; `failures` are sentences."""

    title: str
    refused_after: Mapping[str, float] = field(default_factory=dict)
    proof: str = ""
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Report:
    """Writes to stdout. `current` is the scene that is being played."""

    def __init__(self, services: Sequence[str]) -> None:
        terminal = sys.stdout.isatty()
        self._console = Console(highlight=False, soft_wrap=True, width=None if terminal else _WIDTH)
        self._services = services
        self.played: list[Played] = []

    @property
    def current(self) -> Played:
        """The scene that is being played."""
        return self.played[-1]

    @property
    def failed(self) -> bool:
        """Whether any scene was not as it must be."""
        return any(scene.failures for scene in self.played)

    def line(self, text: str, style: str = "") -> None:
        """A line of plain text."""
        self._console.print(Text(text, style))

    def command(self, text: str) -> None:
        """The command line that does what comes now."""
        self._console.print(Text.assemble(("  $ ", "dim"), (text, "cyan")))

    def fact(self, text: str) -> None:
        """Something that was seen."""
        self._console.print(Text.assemble(("  ✓ ", "green"), text))

    def expect(self, holds: bool, text: str) -> None:
        """A fact if it holds, else a failure of the scene."""
        if holds:
            self.fact(text)
            return
        self.current.failures.append(text)
        self._console.print(Text.assemble(("  ✗ NOT SO: ", "bold red"), text))

    def refusals(self, measured: Measured) -> None:
        """How long after the acknowledgement each service refused."""
        self.current.refused_after = measured.acknowledged
        shown = "   ".join(f"{name} {milliseconds(value)}" for name, value in measured.acknowledged.items())
        self._console.print(Text.assemble("    refused after the acknowledgement:  ", (shown, "bold")))

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Show that something takes its time, and how long it took."""
        started = time.monotonic()
        with self._console.status(what):
            yield
        self._console.print(Text(f"  {what}: {time.monotonic() - started:.1f} s", "dim"))

    @contextmanager
    def scene(self, title: str) -> Iterator[Played]:
        """Play one scene."""
        self.played.append(Played(title))
        self._console.print()
        self._console.print(Rule(f"{len(self.played)}. {title}", align="left", style="dim"))
        started = time.monotonic()
        yield self.current
        self.current.seconds = time.monotonic() - started

    def summary(self) -> None:
        """Every scene with its proof, and how fast each service refused."""
        table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
        for column in ("", "scene", *self._services, "seen"):
            table.add_column(column, justify="right" if column in self._services else "left")
        for scene in self.played:
            times = (
                milliseconds(scene.refused_after[name]) if name in scene.refused_after else ""
                for name in self._services
            )
            mark = Text("✗", "bold red") if scene.failures else Text("✓", "green")
            table.add_row(mark, scene.title, *times, "; ".join(scene.failures) or scene.proof)
        self._console.print()
        self._console.print(Rule("Summary", align="left", style="dim"))
        self._console.print(table)
        self.line(
            "Times: from the arrival of the issuer's answer to the arrival of the first refusal, polled every millisecond;\n"
            "below zero: a service refused before the answer was here.",
            "dim",
        )


def milliseconds(seconds: float) -> str:
    """`3.1 ms`. Below zero: the refusal was there before the issuer's answer."""
    return f"{seconds * 1000:.1f} ms"


def percentiles(seconds: Sequence[float]) -> str:
    """`p50 3.1 ms, p99 8.0 ms, max 9.2 ms`."""
    ordered = sorted(seconds)
    p99 = ordered[min(len(ordered) - 1, round(0.99 * (len(ordered) - 1)))]
    return f"p50 {milliseconds(statistics.median(ordered))}, p99 {milliseconds(p99)}, max {milliseconds(ordered[-1])}"
