"""The base: a snapshot in the place of records that the log no longer has.

* It is for whoever would have to read the log from before its beginning: a new app id, a table that was lost, a sleep longer
  than the log reaches back. Marks that are intact need none.
* The newest usable snapshot is taken (`Catalogue.usable`); one whose chunks turn out to be gone gives way to the next older.
* The log is followed from its own beginning then: offsets in the manifest are hints, and records up to the cut are replays.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping

from revocast.schemas.chunks import partition_of
from revocast.schemas.snapshot import Manifest
from revocast.schemas.topics import FRAME_PARTITIONS
from revocast.streams.control import ControlReader
from revocast.streams.errors import ChunkMissing
from revocast.streams.frames import BasePiece, Mark
from revocast.streams.snapshots.topic import SnapshotTopic

__all__ = ["Bases", "spans"]

log = logging.getLogger(__name__)

Send = Callable[[int, BasePiece], Awaitable[None]]
"""Delivers one piece to a partition."""


class Bases:
    """Where bases come from."""

    def __init__(self, topic: SnapshotTopic, control: ControlReader) -> None:
        self._topic = topic
        self._control = control

    async def send(self, marks: Mapping[int, Mark | None], log_start: int, send: Send) -> Mark | None:
        """Send a base to those of these partitions that stand before it; its mark, or None: there is none for them.

        `log_start` is the first offset that the log still has.
        """
        await self._control.all_read()
        await self._topic.caught_up()
        places = {partition: (mark.epoch, mark.n) if mark else (0, 0) for partition, mark in marks.items()}
        for snapshot in self._topic.catalogue.usable(self._control.checkpoint, min(places.values())):
            manifest = snapshot.manifest
            mark = Mark(manifest.epoch, manifest.n, manifest.t, max(0, log_start - 1), manifest.hash)
            log.warning("the log begins at offset %d: loading snapshot %d/%d", log_start, mark.epoch, mark.n)
            try:
                for partition in (each for each, place in places.items() if place < snapshot.place):
                    await self._send(manifest, mark, partition, send)
                return mark
            except ChunkMissing as error:
                log.error("snapshot %d/%d cannot be used: %s", mark.epoch, mark.n, error)
        return None

    async def _send(self, manifest: Manifest, mark: Mark, partition: int, send: Send) -> None:
        own = [chunk for chunk in manifest.chunks if partition_of(chunk.first) == partition]
        between = spans(partition, [chunk.last for chunk in own])
        if not own:
            await send(partition, BasePiece(mark, *next(between), b""))
            return
        async for rows in self._topic.chunks([chunk.sha256 for chunk in own]):
            await send(partition, BasePiece(mark, *next(between), rows))


def spans(partition: int, lasts: list[int]) -> Iterator[tuple[int, int]]:
    """The buckets (first, last) of each piece: together the whole partition, cut behind the last bucket of each chunk."""
    first, end = (-(-(each << 16) // FRAME_PARTITIONS) for each in (partition, partition + 1))
    for last in [*lasts[:-1], end - 1]:
        yield first, last
        first = last + 1
