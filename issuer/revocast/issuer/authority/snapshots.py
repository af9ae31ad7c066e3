"""A snapshot as the issuer knows it, and behind which of them the log may be truncated.

* A cut is countersigned by the process that took it, or never: another one, or the same after a restart, has no read
  snapshot of it. Then the next cut comes.
* The log is truncated behind the newest countersigned cut that is older than the set age. Who lacks what was deleted starts
  from the newest countersigned snapshot, which is that one or a later one: streams keep the newest two, so it is that one's
  chunks that must be on the topic, and be right, before anything is deleted.
* The cut's own record stays: it is the first one that the log then has, and a reader at it goes on with the next.
* While the newest cut that was compared differs, nothing is deleted: the log is the only witness of which side is wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Snapshot", "SnapshotReport", "SnapshotState", "alarm_in", "truncation_point"]


class SnapshotState(StrEnum):
    """What became of a cut."""

    CUT = "cut"  # not compared (yet): streams have written no manifest, or the process that took it has ended
    COUNTERSIGNED = "countersigned"
    DIFFERS = "differs"  # streams hold another table; nobody uses it


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One cut. `t` is its record's; `problem` says in words what differs; `rows` and `decided_at` (seconds) are known once it
    was compared."""

    epoch: int
    n: int
    t: int
    state: SnapshotState
    rows: int | None = None
    decided_at: int | None = None
    problem: str | None = None

    @property
    def place(self) -> tuple[int, int]:
        """(epoch, n)."""
        return self.epoch, self.n


@dataclass(frozen=True, slots=True)
class SnapshotReport:
    """The cuts in the order of the log; (epoch, n) with which the log begins; whether somebody asked for a cut."""

    snapshots: Sequence[Snapshot]
    oldest: tuple[int, int]
    asked: bool


def alarm_in(snapshots: Sequence[Snapshot]) -> Snapshot | None:
    """The newest cut that was compared, if it differs."""
    compared = [each for each in snapshots if each.state is not SnapshotState.CUT]
    return compared[-1] if compared and compared[-1].state is SnapshotState.DIFFERS else None


def truncation_point(snapshots: Sequence[Snapshot], epoch: int, now: int, log_age: int) -> Snapshot | None:
    """The cut behind which the log of `epoch` may be truncated. `snapshots` are in the order of the log; `log_age` in seconds."""
    compared = [each for each in snapshots if each.epoch == epoch and each.state is not SnapshotState.CUT]
    if not compared or compared[-1].state is SnapshotState.DIFFERS:
        return None
    old = [each for each in compared if each.state is SnapshotState.COUNTERSIGNED and each.t + log_age <= now]
    return old[-1] if old else None
