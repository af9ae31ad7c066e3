"""Lines out of pieces of a file, in bounded memory.

A line ends with LF or CRLF, the last one also with the file. A byte order mark before the first one is none of its text.
A line that is too long is no line, but it is counted.
"""

from codecs import BOM_UTF8
from typing import Final

__all__ = ["MAX_LINE", "LineSplitter"]

MAX_LINE: Final = 20 * 1024
"""Bytes: the longest token, and what stands around it."""


class LineSplitter:
    """Feed it pieces; it gives back whole lines without their ends, None for each that is longer than `MAX_LINE`."""

    def __init__(self) -> None:
        self._rest = b""
        self._too_long = False
        self._begun = False

    def feed(self, data: bytes) -> list[bytes | None]:
        """The lines that end in `data`."""
        whole = self._rest + data
        pieces = whole.split(b"\n")
        rest = pieces.pop()
        lines: list[bytes | None] = [*pieces]
        if b"\r" in whole or max(map(len, pieces), default=0) > MAX_LINE:
            lines = [self._line(piece) for piece in pieces]
        if self._too_long and lines:
            lines[0], self._too_long = None, False
        self._too_long = self._too_long or len(rest) > MAX_LINE
        self._rest = b"" if self._too_long else rest
        if lines and not self._begun:
            self._begun = True
            lines[0] = lines[0] and lines[0].removeprefix(BOM_UTF8)
        return lines

    def end(self) -> list[bytes | None]:
        """What stood after the last line's end."""
        return self.feed(b"\n") if self._rest or self._too_long else []

    @staticmethod
    def _line(piece: bytes) -> bytes | None:
        return piece.removesuffix(b"\r") if len(piece) <= MAX_LINE else None
