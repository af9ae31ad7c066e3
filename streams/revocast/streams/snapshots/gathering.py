"""Which cut is whole: all partitions have reported one (epoch, n, hash). No I/O.

* The parts topic is read from its beginning by whoever gathers, so that a new gatherer knows what the old one knew.
* Partitions may work at different cuts at one time; a few cuts are remembered side by side.
* One partition that abandoned a cut is enough to abandon it: the next cut comes. A cut that was overtaken by a whole one
  before it was whole is abandoned, too.
"""

from collections.abc import Iterator
from typing import Final

from revocast.schemas.record import Position
from revocast.schemas.topics import FRAME_PARTITIONS
from revocast.streams.frames import Mark
from revocast.streams.snapshots.parts import Part

__all__ = ["Cut", "Gathering"]

_REMEMBERED: Final = 8


class Cut:
    """The parts of one cut that have arrived, by partition."""

    def __init__(self, position: Position) -> None:
        self.position = position
        self.parts: dict[int, Part] = {}

    @property
    def place(self) -> tuple[int, int]:
        """(epoch, n)."""
        return (self.position.epoch, self.position.n)

    @property
    def abandoned(self) -> str | None:
        """Why a partition abandoned it, if one did."""
        reasons = (part.abandoned for part in self.parts.values() if part.abandoned is not None)
        return next(reasons, None)

    @property
    def whole(self) -> bool:
        """Whether every partition has its chunks on the topic."""
        return len(self.parts) == FRAME_PARTITIONS and self.abandoned is None

    @property
    def mark(self) -> Mark:
        """Where the log stands. Partitions that got there by different readings of the log differ in the offset: the lowest."""
        return min((part.mark for part in self.parts.values()), key=lambda mark: mark.offset)

    def ordered(self) -> Iterator[Part]:
        """Its parts, partition after partition."""
        return (self.parts[partition] for partition in sorted(self.parts))


class Gathering:
    """What all partitions have told, by cut."""

    def __init__(self) -> None:
        self._cuts: dict[Position, Cut] = {}

    def receive(self, part: Part) -> None:
        """Take one part in; the same one again changes nothing, a later one of its partition and cut takes its place."""
        position = part.mark.position
        self._cuts.setdefault(position, Cut(position)).parts[part.partition] = part
        if len(self._cuts) > _REMEMBERED:
            del self._cuts[min(self._cuts, key=lambda each: (each.epoch, each.n))]

    @property
    def cuts(self) -> list[Cut]:
        """Those that are remembered, the oldest first."""
        return sorted(self._cuts.values(), key=lambda cut: cut.place)

    @property
    def newest_whole(self) -> Cut | None:
        """The newest cut that every partition has reported."""
        return next((cut for cut in reversed(self.cuts) if cut.whole), None)
