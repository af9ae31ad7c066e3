"""Where a core begins: at the local copy; from there, or without one, at a snapshot; else at the beginning of the log.

* A snapshot is needed where the log does not hold what follows, and worth its bytes where very much follows. One that is not
  needed keeps nobody from starting: a topic that cannot be read, or is full of junk, is left alone.
* When the workers of a host start together, one of them reads the snapshot, and the others wait for the file that it makes. They
  wait while the lock is held and not for ever: if the one dies, another has the lock; if it takes too long, each reads for itself.
* A local copy that cannot be used, for whatever reason, is as good as none, and said.
"""

import asyncio
from collections.abc import Collection
from typing import Final, Literal, NamedTuple

from aiokafka.errors import KafkaError

from revocast.schemas.errors import SchemaError
from revocast.schemas.settings import KafkaSettings
from revocast.sdk.base_file import BaseFile
from revocast.sdk.clock import Clock
from revocast.sdk.core import GuardCore
from revocast.sdk.journal import logger
from revocast.sdk.local_copy import Place
from revocast.sdk.snapshot_loading import load_snapshot
from revocast.sdk.snapshot_reader import SnapshotReader

__all__ = ["Beginning", "Extent", "Origin"]

Origin = Literal["local copy", "snapshot", "log"]

_SHORT: Final = 2000
"""So many records are read in less time than a look for a snapshot takes."""
_REACH: Final = 256 * 1024 * 1024
"""Bytes of the snapshots topic that are looked through for a snapshot that is not needed."""
_PATIENCE: Final = 15.0
_LOOK_EVERY: Final = 0.05


class Extent(NamedTuple):
    """The log's offsets: of its first record, and of the next one to be written."""

    begin: int
    end: int


class Beginning:
    """One core's. `origin` is where it began, as far as that is decided.

    `file` is the host's base file; None: begin from what is on Kafka alone. `roots` are thumbprints that an earlier run trusted.
    `anew`: what was read the usual way has a hole, or is another history; a snapshot may lie behind it.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        core: GuardCore,
        clock: Clock,
        file: BaseFile | None,
        roots: Collection[str] = (),
        *,
        anew: bool = False,
    ) -> None:
        self.origin: Origin = "log"
        self._settings = settings
        self._core = core
        self._clock = clock
        self._file = file
        self._roots = frozenset(roots)
        self._anew = anew

    async def begin(self, log: Extent) -> int:
        """Begin as far ahead as can be; the offset of the log from which to read on.

        Keys and checkpoints have been read to their ends.
        """
        if self._file is not None:
            await self._take_file(self._file)
            if self._wants_snapshot(log) and (self.origin == "log" or self._needs_snapshot(log)):
                await self._wait_for_others(self._file, log)
        if self._wants_snapshot(log):
            needed = self._needs_snapshot(log)
            try:
                await self.take_snapshot(log, needed=needed)
            except (KafkaError, OSError, TimeoutError) as error:
                if needed:
                    raise
                logger.warning(
                    "no snapshot is looked for, and the log is read: %s", error or type(error).__name__
                )
        return self.next_offset(log)

    async def take_snapshot(self, log: Extent, *, needed: bool) -> bool:
        """Go on from the newest usable snapshot, and leave it to the host if we may write; whether there was one.

        `needed`: however little it is ahead.
        """
        core, file = self._core, self._file
        if file is not None and not file.lock.try_acquire():
            file = None
        copy = file.copy if file else None
        async with SnapshotReader(self._settings, None if needed else _REACH) as snapshots:
            loaded = await load_snapshot(
                snapshots, core, self._clock, copy, needed=needed, ahead=_SHORT, log_begin=log.begin
            )
        if loaded is None:
            return False
        manifest, base, draft = loaded
        try:
            core.begin(base, manifest.position, manifest.log_offset, self._clock())
        except SchemaError as error:  # it was overtaken while it was read
            core.refuse_snapshot(str(error))
            draft.close()
            return False
        self.origin = "snapshot"
        if file is not None:
            file.publish(
                draft, Place(core.trust.issuer, core.roots[-1], manifest.position, manifest.log_offset)
            )
        else:
            draft.close()
        return True

    async def _take_file(self, file: BaseFile) -> None:
        copy = await file.read()
        if copy is None:
            return
        place = copy.place
        try:
            if place.root not in self._roots.union(self._core.roots):
                raise SchemaError("it was written under another root")
            self._core.begin(copy.base, place.position, place.log_offset, self._clock())
        except SchemaError as error:
            self._core.refuse_snapshot(f"the local copy: {error}")
            logger.warning("the local copy is not used: %s", error)
        else:
            self.origin = "local copy"

    async def _wait_for_others(self, file: BaseFile, log: Extent) -> None:
        """Until the lock is ours, or another worker has left a file that will do, or for too long."""
        deadline = self._clock().monotonic + _PATIENCE
        while self._wants_snapshot(log) and not file.lock.try_acquire() and file.lock.contended:
            if self._clock().monotonic > deadline:
                logger.warning("another worker of this host has held %s for too long", file.lock.path)
                return
            await asyncio.sleep(_LOOK_EVERY)
            await self._take_file(file)

    def next_offset(self, log: Extent) -> int:
        """The offset behind the last record that is contained in what the core holds."""
        applied = self._core.applied_offset
        return log.begin if applied is None else max(log.begin, applied + 1)

    def _needs_snapshot(self, log: Extent) -> bool:
        applied = self._core.applied_offset
        if self._anew and self.origin == "log":
            return True
        return log.begin > (0 if applied is None else applied + 1)

    def _wants_snapshot(self, log: Extent) -> bool:
        return self._needs_snapshot(log) or log.end - self.next_offset(log) > _SHORT
