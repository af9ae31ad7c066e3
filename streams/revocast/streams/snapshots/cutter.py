"""Cuts this worker's partitions into chunks, beside the frames.

* A partition is frozen in the moment in which it has applied the cut and nothing behind it: a view of its store that later
  writes do not change. So its chunks are of exactly that n, however long they take, and whoever holds the partition by then.
* The rows are read in small steps, and a chunk is written only after the one before arrived and as long a pause: frames go
  first.
* What it cannot do exactly it abandons, and says so: a bucket that holds a later record already (after a crash in the middle
  of its writes), a partition that moved away before its rows were read.
* A chunk that a kept snapshot has is not written again. It is looked for on the topic as it is now, so one that somebody
  overwrote or deleted comes back with the next cut.
"""

import asyncio
import itertools
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Final

import faust

from revocast.schemas.chunks import CutChunk, cut_chunks
from revocast.schemas.errors import SchemaError
from revocast.schemas.snapshot import Chunk, chunk_key
from revocast.streams.errors import Inexact
from revocast.streams.frames import Frame, KeyVersions, Mark
from revocast.streams.sending import send
from revocast.streams.shard import epoch_prefix, rows_at
from revocast.streams.snapshots.parts import Part
from revocast.streams.snapshots.topic import SnapshotTopic
from revocast.streams.table import BucketTable

__all__ = ["Cutter"]

log = logging.getLogger(__name__)
_STEP_BUCKETS: Final = 16


@dataclass
class _Frozen:
    """A partition's part of the table at a cut; `view` is None once it was taken away."""

    partition: int
    mark: Mark
    versions: KeyVersions
    view: Iterator[tuple[bytes, bytes]] | None


class Cutter:
    """`parts` is the topic that the gatherer reads. `enabled`: without a snapshot key nothing is cut."""

    def __init__(
        self, table: BucketTable, topic: SnapshotTopic, parts: faust.TopicT, *, enabled: bool
    ) -> None:
        self.enabled = enabled
        self._table = table
        self._topic = topic
        self._parts = parts
        self._waiting: dict[int, _Frozen] = {}
        self._current: _Frozen | None = None
        self._frozen = asyncio.Event()

    def freeze(self, partition: int, cut: Frame) -> None:
        """The partition has stored what came before the cut, and nothing behind it."""
        if not self.enabled or cut.cut is None:
            return
        # One that still waits is overtaken. The one that is being cut goes on, so that fast cuts do not end all of them.
        view = self._table.scan(partition, epoch_prefix(cut.mark.epoch))
        self._waiting[partition] = _Frozen(partition, cut.mark, cut.cut, view)
        self._frozen.set()

    def keep(self, partitions: set[int]) -> None:
        """Only these partitions are still here: let go of the others, whose stores are to be closed."""
        for frozen in (*self._waiting.values(), self._current):
            if frozen and frozen.partition not in partitions:
                frozen.view = None

    async def run(self) -> None:
        """Cut what was frozen, one partition after the other, until cancelled."""
        while True:
            await self._frozen.wait()
            while self._waiting:
                self._current = self._waiting.pop(min(self._waiting))
                part = await self._part(self._current)
                self._current = None
                await send(self._parts, key=part.key, value=part.pack(), partition=0)
            self._frozen.clear()

    async def _part(self, frozen: _Frozen) -> Part:
        partition, mark = frozen.partition, frozen.mark
        try:
            chunks = await self._written(cut_chunks(await self._rows(frozen)))
        except (Inexact, SchemaError) as error:
            log.warning("cut %d/%d of partition %d is abandoned: %s", mark.epoch, mark.n, partition, error)
            return Part(partition, mark, frozen.versions, abandoned=str(error))
        finally:
            frozen.view = None
        return Part(partition, mark, frozen.versions, chunks)

    async def _rows(self, frozen: _Frozen) -> list[tuple[int, bytes]]:
        """The buckets' rows that are alive at the cut."""
        rows: list[tuple[int, bytes]] = []
        while frozen.view is not None:
            step = list(itertools.islice(frozen.view, _STEP_BUCKETS))
            if not step:
                return rows
            rows += rows_at(frozen.mark, step)
            await asyncio.sleep(0)
        raise Inexact("the partition moved to another worker")

    async def _written(self, chunks: Iterator[CutChunk]) -> tuple[Chunk, ...]:
        await self._topic.caught_up()
        catalogue = self._topic.catalogue
        held = catalogue.held
        listed: list[Chunk] = []
        for chunk in chunks:
            sha256 = chunk.sha256
            offset = catalogue.chunks.get(sha256) if sha256 in held else None
            if offset is None:
                began = monotonic()
                offset = await self._topic.write(chunk_key(sha256), chunk.rows)
                await asyncio.sleep(monotonic() - began)
            listed.append(
                Chunk(sha256=sha256, rows=chunk.count, first=chunk.first, last=chunk.last, offset=offset)
            )
        return tuple(listed)
