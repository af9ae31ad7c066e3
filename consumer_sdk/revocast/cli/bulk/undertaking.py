"""Sending the parts of a file, one after the other, and what has become of them."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from revocast.cli.bulk.parts import LineFile, Part
from revocast.cli.errors import CliError, Refused, Unreachable
from revocast.cli.operator import Operator

__all__ = ["Totals", "Undertaking"]

_PATH: Final = "/v1/revocations/bulk"
_SCOPE: Final = "revocast:revoke-many"
_PATIENCE_S: Final = 30.0
_PAUSE_S: Final = 1.0
_SUMMED: Final = ("rows", "unchanged", "bad", "empty", "records")


@dataclass(slots=True)
class Totals:
    """What is done: everything up to `line`. `n` is where the last of it is in the log."""

    operation: str
    line: int = 0
    rows: int = 0
    unchanged: int = 0
    bad: int = 0
    empty: int = 0
    records: int = 0
    epoch: int = 0
    n: int = 0
    status: str = "published"

    @property
    def resume(self) -> str:
        """What `--resume` takes to go on here."""
        return f"{self.operation}:{self.line}"


@dataclass(slots=True)
class Undertaking:
    """One file at one issuer. `query` goes with every part; `on_bad` is told lines that are left out, and why."""

    operator: Operator
    totals: Totals
    query: Mapping[str, str | bool]
    on_bad: Callable[[int, int, str], None]
    pause: Callable[[float], None] = field(default=time.sleep)

    def run(self, file: LineFile) -> Iterator[Totals]:
        """Send the parts; the totals after each. Raises `Refused`, `Denied` or `Unreachable`: the totals say how far it came."""
        self.totals.line = max(self.totals.line, 1 if file.columns is not None else 0)
        for part in file.parts():
            for event in self._events(file, part):
                self._take(event)
            yield self.totals

    def _events(self, file: LineFile, part: Part) -> Iterator[dict[str, Any]]:
        query = {
            **self.query,
            "operation": self.totals.operation,
            "first_line": part.first_line,
            "wait": part.last,
        }
        if file.columns is not None:
            query["columns"] = file.columns
        text = self._sent(part.data, file.form.media_type, query)
        try:
            yield from (json.loads(line) for line in text.splitlines())
        except ValueError:
            raise Unreachable("the answer broke off") from None

    def _sent(self, data: bytes, media_type: str, query: Mapping[str, str | int | bool]) -> str:
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return self.operator.send(_PATH, _SCOPE, data, media_type, query)
            except Unreachable:
                # Whatever was done of it: doing it again is harmless.
                if time.monotonic() > deadline:
                    raise
                self.pause(_PAUSE_S)

    def _take(self, event: Mapping[str, Any]) -> None:
        match event.get("event"):
            case "bad":
                for first, last in event["lines"]:
                    self.on_bad(first, last, str(event["reason"]))
            case "done":
                totals = self.totals
                for name in _SUMMED:
                    setattr(totals, name, getattr(totals, name) + int(event[name]))
                totals.line = int(event["line"])
                if event["n"]:
                    totals.epoch, totals.n = int(event["epoch"]), int(event["n"])
                totals.status = str(event["status"])
            case "stopped":
                raise _error_of(event)


def _error_of(event: Mapping[str, Any]) -> CliError:
    text = f"{event['code']}: {event['detail']}"
    return Unreachable(text) if event["code"] in ("storage_unavailable", "internal_error") else Refused(text)
