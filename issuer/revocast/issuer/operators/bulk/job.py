"""One request's file: unpacked, split, read and written, a window of lines at a time.

* A window is sorted by fingerprint before it is written, so each record touches one part of the table and its index.
* Memory is a window of lines and a piece of the file, whatever the file.
* What is acknowledged is whole windows. Those that a failure leaves half-written are simply written again.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import itemgetter
from typing import Any, Final

from revocast.issuer.authority.bulk import Bulk, Line
from revocast.issuer.authority.revocations import Receipt
from revocast.issuer.bulk_desk import LINES_A_TURN
from revocast.issuer.operators.bulk.answers import BadLines, Progress
from revocast.issuer.operators.bulk.errors import BadLine
from revocast.issuer.operators.bulk.reading import LineReader
from revocast.issuer.operators.bulk.splitting import LineSplitter
from revocast.issuer.operators.bulk.unpacking import Gunzip
from revocast.issuer.service import Service

__all__ = ["WINDOW_LINES", "Job"]

WINDOW_LINES: Final = 50_000
_WINDOW_BYTES: Final = 8 * 1024 * 1024


class Job:
    """Not thread-safe: its methods are called one after the other. `allow` is asked before rows are written."""

    def __init__(
        self,
        service: Service,
        reader: LineReader,
        bulk: Bulk,
        allow: Callable[[int], None],
        *,
        first_line: int = 1,
        packed: bool = False,
        dry_run: bool = False,
    ) -> None:
        self._service = service
        self._reader = reader
        self._bulk = bulk
        self._allow = allow
        self._dry_run = dry_run
        self._unpack = Gunzip() if packed else None
        self._split = LineSplitter()
        self._window: list[bytes | None] = []
        self._bytes = 0
        self._line = first_line - 1
        self._counts = dict.fromkeys(("rows", "unchanged", "bad", "empty", "records"), 0)
        self.receipt: Receipt | None = None
        """Where the last of it is in the log."""

    def counts(self) -> dict[str, Any]:
        """As `Counts` has them."""
        place = (self.receipt.epoch, self.receipt.n) if self.receipt else (0, 0)
        return {
            "operation": self._bulk.operation,
            "line": self._line,
            **self._counts,
            "epoch": place[0],
            "n": place[1],
        }

    def feed(self, data: bytes) -> Iterator[Progress | BadLines]:
        """The next bytes of the file, and what became of the windows that they fill."""
        for piece in self._unpack.feed(data) if self._unpack else (data,):
            self._bytes += len(piece)
            self._window += self._split.feed(piece)
            if self._bytes >= _WINDOW_BYTES or len(self._window) >= WINDOW_LINES:
                yield from self._write_windows()

    def end(self) -> Iterator[Progress | BadLines]:
        """There is no more."""
        if self._unpack:
            self._unpack.end()
        self._window += self._split.end()
        yield from self._write_windows(rest=True)

    def _write_windows(self, *, rest: bool = False) -> Iterator[Progress | BadLines]:
        lines, self._window = self._window, []
        full = self._bytes >= _WINDOW_BYTES or rest
        for start in range(0, len(lines), WINDOW_LINES):
            window = lines[start : start + WINDOW_LINES]
            if len(window) < WINDOW_LINES and not full:
                self._window = window
                break
            yield from self._write(window)
        self._bytes = sum(map(len, filter(None, self._window)))

    def _write(self, window: list[bytes | None]) -> Iterator[Progress | BadLines]:
        with _uncollected():
            lines, bad, empty = self._read(window)
            lines.sort(key=itemgetter(0))
        for start in range(0, len(lines), LINES_A_TURN):
            self._write_some(lines[start : start + LINES_A_TURN])
        for reason, numbers in bad.items():
            yield BadLines(reason=reason, lines=_spans(numbers))
            self._counts["bad"] += len(numbers)
        self._counts["empty"] += empty
        self._line += len(window)
        yield Progress(**self.counts())

    def _read(self, window: list[bytes | None]) -> tuple[list[Line], dict[str, list[int]], int]:
        plain = self._reader.read_plain(window)
        if plain is not None:
            return plain, {}, 0
        read, lines, bad = self._reader.read, list[Line](), dict[str, list[int]]()
        for number, raw in enumerate(window, start=self._line + 1):
            try:
                line = read(raw)
            except BadLine as error:
                bad.setdefault(str(error), []).append(number)
                continue
            if line is not None:
                lines.append(line)
        return lines, bad, len(window) - len(lines) - sum(map(len, bad.values()))

    def _write_some(self, lines: list[Line]) -> None:
        if self._dry_run:
            wrote = self._service.count_lines(lines)
        else:
            wrote = self._service.revoke_lines(lines, self._bulk, self._allow)
        self.receipt = wrote.receipt
        self._counts["rows"] += wrote.rows
        self._counts["unchanged"] += len(lines) - wrote.rows
        self._counts["records"] += wrote.records


@contextmanager
def _uncollected() -> Iterator[None]:
    """A hundred thousand objects, none in a cycle: the collector would go through all that the process has, once or twice a window."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _spans(numbers: list[int]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number - 1:
            spans[-1] = (spans[-1][0], number)
        else:
            spans.append((number, number))
    return spans
