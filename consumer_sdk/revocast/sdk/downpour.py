"""When merging is put off: a file of a million names comes in seconds, and each merge in between would be made again.

* A merge costs what base and overlay hold together, however much has changed. While thousands of rows a second come it waits
  until they have come, and costs their reading nothing.
* Not beyond half a million entries of the overlay, about 90 MB: then what is there is merged, come what may.
"""

from typing import Final

__all__ = ["Downpour"]

_ROWS_A_SECOND: Final = 4096
_ENTRIES: Final = 1 << 19


class Downpour:
    """Tell it every second or so."""

    def __init__(self) -> None:
        self._applied = 0
        self._at = float("-inf")

    def lasts(self, applied: int, entries: int, now: float) -> bool:
        """Whether to put a merge off, seen at `now` (seconds, monotonic). `applied`: rows since the start; `entries`: of the overlay."""
        rate = (applied - self._applied) / (now - self._at) if now > self._at else 0.0
        self._applied, self._at = applied, now
        return rate >= _ROWS_A_SECOND and entries < _ENTRIES
