"""When a snapshot is cut: by number of records, by time, and never of a table that has not changed since the last one.

A cut is an empty record that says `cut`; the snapshot is the table at its n. There is none while an epoch's live set is
re-issued: readers then hold two tables.
"""

from dataclasses import dataclass

__all__ = ["CutRule", "Mark"]


@dataclass(frozen=True, slots=True)
class Mark:
    """Where the epoch's last cut was, or where the epoch began: n, and t in seconds."""

    n: int
    t: int


@dataclass(frozen=True, slots=True)
class CutRule:
    """At the latest after so many records, or so many seconds."""

    records: int
    seconds: int

    def is_due(self, last: Mark, n: int, now: int) -> bool:
        """Whether to cut behind record `n`, the newest."""
        return n > last.n and (n - last.n >= self.records or now - last.t >= self.seconds)
