"""A file in parts: whole lines, numbered, a bounded part at a time.

* Each part is a request of its own: it is done when it is answered, so an interruption costs a part, and no proxy, token or
  connection has to live as long as the file.
* A line that is longer than any good one is cut, so the issuer counts and refuses it as one line.
* The first row of a CSV names the columns; it goes with every part as a parameter.
"""

import gzip
import io
import zlib
from codecs import BOM_UTF8
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import IO, Final

from revocast.cli.errors import Misused

__all__ = ["PART_LINES", "Form", "LineFile", "Part", "form_of"]

PART_LINES: Final = 50_000
_PART_BYTES: Final = 4 * 1024 * 1024
_MAX_LINE: Final = 32 * 1024
_GZIP_MAGIC: Final = b"\x1f\x8b"


class Form(StrEnum):
    """How a file says what to revoke."""

    LIST = "list"
    CSV = "csv"
    JSONL = "jsonl"

    @property
    def media_type(self) -> str:
        """As the issuer takes it."""
        return {Form.LIST: "text/plain", Form.CSV: "text/csv", Form.JSONL: "application/jsonl"}[self]


_SUFFIXES: Final = {
    ".txt": Form.LIST,
    ".csv": Form.CSV,
    ".jsonl": Form.JSONL,
    ".ndjson": Form.JSONL,
    ".json": Form.JSONL,
}


@dataclass(frozen=True, slots=True)
class Part:
    """Some lines; `first_line` is the number of the first one in the file, `last` says that none follow."""

    first_line: int
    lines: int
    data: bytes
    last: bool


def form_of(name: str, first: bytes) -> Form:
    """The form by the file's name, else by its first line."""
    plain = name.removesuffix(".gz")
    if (known := _SUFFIXES.get(PurePath(plain).suffix.lower())) is not None:
        return known
    first = first.strip()
    if first[:1] in (b"{", b'"'):
        return Form.JSONL
    return Form.CSV if b"value" in first.split(b",") else Form.LIST


class LineFile:
    """Reads `raw` line by line; gzip is unpacked on the way. `name` tells the form, unless it is given."""

    def __init__(self, raw: IO[bytes], name: str, form: Form | None) -> None:
        self._raw = raw
        buffered = io.BufferedReader(raw) if isinstance(raw, io.RawIOBase) else raw
        peek: bytes = buffered.peek(len(_GZIP_MAGIC))  # type: ignore[attr-defined]  # both kinds that there are have it
        self._lines: IO[bytes] = (
            gzip.GzipFile(fileobj=buffered) if peek.startswith(_GZIP_MAGIC) else buffered  # type: ignore[assignment]
        )
        self._number = 0
        first = self._read().removeprefix(BOM_UTF8)
        self.form = form or form_of(name, first)
        self.columns: str | None = None
        self._read_ahead: deque[bytes] = deque()
        if self.form is Form.CSV:
            self.columns = first.decode("utf-8", "replace").strip()
            self._number = 1
        elif first:
            self._read_ahead.append(first)

    def has_more_than(self, lines: int) -> bool:
        """Whether more lines are left; they are read ahead."""
        while len(self._read_ahead) <= lines and (line := self._read()):
            self._read_ahead.append(line)
        return len(self._read_ahead) > lines

    def skip(self, line: int) -> None:
        """Go behind this line."""
        while self._number < line and self._next():
            pass

    def parts(self) -> Iterator[Part]:
        """What is left, in parts; a last one always, empty if there is nothing."""
        held, first_line = self._part()
        while True:
            following, next_line = self._part()
            yield Part(first_line, len(held), b"".join(held), last=not following)
            if not following:
                return
            held, first_line = following, next_line

    def _part(self) -> tuple[list[bytes], int]:
        first_line, lines, size = self._number + 1, list[bytes](), 0
        while len(lines) < PART_LINES and size < _PART_BYTES and (line := self._next()):
            lines.append(line)
            size += len(line)
        return lines, first_line

    def _next(self) -> bytes:
        line = self._read_ahead.popleft() if self._read_ahead else self._read()
        self._number += bool(line)
        return line

    def _read(self) -> bytes:
        """The next line with its end; nothing at the file's end."""
        try:
            line = self._lines.readline(_MAX_LINE)
            rest = line
            while len(rest) == _MAX_LINE and not rest.endswith(b"\n"):
                rest = self._lines.readline(_MAX_LINE)
        except (OSError, EOFError, zlib.error) as error:
            raise Misused(f"the file cannot be read any further: {error}") from None
        return line if rest is line or line.endswith(b"\n") else line + b"\n"
