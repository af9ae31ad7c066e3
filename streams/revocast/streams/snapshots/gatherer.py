"""The gatherer: one worker, the one that holds the parts topic, writes manifests and deletes what no snapshot needs.

* The manifest comes last, when every partition's chunks are on the topic. They are looked for there once more, and the
  manifest is judged as its readers will judge it, before it is written.
* It never takes the place of a manifest that is there: the countersigned one stands under the same key.
* All that it knows it reads from the two topics, so a new gatherer goes on where the old one was killed.
* Only it deletes, and only while it holds the parts topic.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, Final, NamedTuple

import faust
from aiokafka.errors import KafkaError

from revocast.schemas.audit import AuditType
from revocast.schemas.errors import SchemaError
from revocast.schemas.signer import Signer
from revocast.schemas.snapshot import Manifest, read_manifest
from revocast.streams.control import ControlReader
from revocast.streams.errors import MalformedFrame
from revocast.streams.log_reader import end_offset, read_range
from revocast.streams.reports import Reporter
from revocast.streams.snapshots.gathering import Cut, Gathering
from revocast.streams.snapshots.parts import Part
from revocast.streams.snapshots.topic import SnapshotTopic

__all__ = ["AbandonedCut", "Gatherer"]

log = logging.getLogger(__name__)
_LOOK_SECONDS: Final = 1.0
_READ_AGAIN_SECONDS: Final = 30.0
_TOLD: Final = 10


class AbandonedCut(NamedTuple):
    """A cut that became no snapshot, and why."""

    epoch: int
    n: int
    reason: str


class Gatherer:
    """`signer` is the snapshot key; None: it gathers nothing. `owns_parts`: whether this worker holds the parts topic."""

    def __init__(
        self,
        control: ControlReader,
        reporter: Reporter,
        topic: SnapshotTopic,
        parts_topic: str,
        signer: Signer | None,
        owns_parts: Callable[[], bool],
        options: Mapping[str, Any],
    ) -> None:
        self.abandoned: deque[AbandonedCut] = deque(maxlen=_TOLD)
        self._control = control
        self._reporter = reporter
        self._topic = topic
        self._parts_topic = parts_topic
        self._signer = signer
        self._owns_parts = owns_parts
        self._options = dict(options)
        self._told = asyncio.Event()
        self._forget()

    @property
    def enabled(self) -> bool:
        """Whether there is a snapshot key."""
        return self._signer is not None

    async def parts(self, stream: faust.Stream[bytes]) -> None:
        """Faust agent on the parts. It only says that there is something: what was acknowledged is read again from there."""
        async for _ in stream.events():
            self._told.set()

    async def run(self) -> None:
        """Gather until cancelled. A broker that is away is waited for."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._told.wait()
            if self._signer is None or not self._owns_parts():
                self._forget()
                self._told.clear()
                continue
            try:
                await self._look(self._signer)
            except KafkaError as error:
                log.warning("the parts of cuts cannot be read, trying again: %r", error)

    def _forget(self) -> None:
        self._gathering = Gathering()
        self._next = 0
        self._read_at = float("-inf")
        self._settled = (0, 0)
        self._reclaimed_at = -1

    async def _look(self, signer: Signer) -> None:
        now = monotonic()
        # Faust acknowledges unseen what it fetched before a rebalance: so it is looked after without being told, too.
        if self._told.is_set() or now - self._read_at >= _READ_AGAIN_SECONDS:
            self._told.clear()
            await self._read()
            self._read_at = now
            await self._settle(signer)
        if self._topic.catalogue.next_offset != self._reclaimed_at:
            await self._reclaim()

    async def _read(self) -> None:
        end = await end_offset(self._options, self._parts_topic)
        if end < self._next:
            self._forget()  # The topic was created again.
        async for record in read_range(self._options, self._parts_topic, self._next, end):
            try:
                self._gathering.receive(Part.unpack(record.key, record.value))
            except MalformedFrame as error:
                log.error("a message on the parts topic is not ours: %s", error)
        self._next = end

    async def _settle(self, signer: Signer) -> None:
        """Write the manifest of the newest whole cut; tell about those that will never be whole."""
        whole = self._gathering.newest_whole
        for cut in self._gathering.cuts:
            if cut.place <= self._settled:
                continue
            if cut is whole:
                await self._control.keys_read()
                await self._topic.caught_up()
                await self._write(cut, signer)
                self._settled = cut.place
            elif cut.abandoned is not None:
                await self._abandon(cut, cut.abandoned)
            elif whole and cut.place < whole.place:
                await self._abandon(cut, "partitions did not report it before a later cut was whole")

    async def _write(self, cut: Cut, signer: Signer) -> None:
        catalogue = self._topic.catalogue
        if any(snapshot.place == cut.place for snapshot in catalogue.snapshots):
            return
        named = [chunk for part in cut.ordered() for chunk in part.chunks]
        missing = [chunk.sha256.hex() for chunk in named if chunk.sha256 not in catalogue.chunks]
        listed = self._control.trust.delegations
        if missing or listed is None:
            await self._abandon(
                cut, f"chunk {missing[0]} is not on the topic any more" if missing else "no keys"
            )
            return
        mark, versions = cut.mark, next(cut.ordered()).versions
        manifest = Manifest(
            t=mark.t,
            epoch=mark.epoch,
            n=mark.n,
            hash=mark.hash,
            rows=sum(chunk.rows for chunk in named),
            chunks=tuple(
                chunk.model_copy(update={"offset": catalogue.chunks[chunk.sha256]}) for chunk in named
            ),
            delegations=versions.delegations,
            key_set=versions.key_set,
            root=listed.roots.claimed()[-1],
            log_offset=mark.offset,
        )
        value = manifest.signed(self._control.trust.issuer, signer)
        try:
            read_manifest(value, self._control.trust)
        except SchemaError as error:
            await self._abandon(cut, f"nobody would believe the manifest: {error}")
            return
        await self._topic.write(manifest.key, value)
        log.info(
            "snapshot %d/%d is written: %d rows in %d chunks", mark.epoch, mark.n, manifest.rows, len(named)
        )
        data = {"epoch": mark.epoch, "n": mark.n, "rows": manifest.rows, "chunks": len(named)}
        await self._reporter.tell(
            AuditType.SNAPSHOT_WRITTEN, manifest.jti, data, id=f"written/{manifest.jti}"
        )

    async def _abandon(self, cut: Cut, reason: str) -> None:
        told = AbandonedCut(*cut.place, reason)
        if told in self.abandoned:
            return
        self.abandoned.append(told)
        log.warning("cut %d/%d becomes no snapshot: %s", *told)
        subject = f"cut/{told.epoch}/{told.n}"
        await self._reporter.tell(AuditType.CUT_ABANDONED, subject, told._asdict(), id=f"abandoned/{subject}")

    async def _reclaim(self) -> None:
        await self._control.keys_read()
        await self._topic.caught_up()
        self._reclaimed_at = self._topic.catalogue.next_offset
        waiting = (cut for cut in self._gathering.cuts if cut.place > self._settled)
        keys = self._topic.catalogue.reclaimable(
            chunk.sha256 for cut in waiting for part in cut.ordered() for chunk in part.chunks
        )
        for key in keys:
            if not self._owns_parts():
                return
            await self._topic.write(key, None)
        if keys:
            log.info("deleted %d records that no snapshot needs", len(keys))
