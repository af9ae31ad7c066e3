"""Where bad lines are told: on stderr the first of them, in a file all. A line's number and what is wrong, never the line."""

import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from revocast.cli.errors import Misused
from revocast.cli.inert import inert

__all__ = ["BadLines"]

_SHOWN: Final = 20


class BadLines:
    """A context manager. Without a file they go to stderr."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: IO[str] | None = None
        self._told = 0

    def __enter__(self) -> Self:
        if self._path is not None:
            try:
                self._file = self._path.open("a", encoding="utf-8")
            except OSError as error:
                raise Misused(f"--bad-lines: {self._path} cannot be written: {error.strerror}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        elif self._told > _SHOWN:
            print(f"… and so on; --bad-lines FILE tells all {self._told:,} places", file=sys.stderr)

    def add(self, first: int, last: int, reason: str) -> None:
        """Lines `first` to `last` are left out because of `reason`."""
        self._told += 1
        if self._file is None and self._told > _SHOWN:
            return
        where = f"line {first}" if first == last else f"lines {first} to {last}"
        print(f"{where}: {inert(reason)}", file=self._file or sys.stderr)
