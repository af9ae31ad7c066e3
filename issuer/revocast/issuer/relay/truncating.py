"""Truncating the log: what may be forgotten is in `authority.snapshots`; here it is checked on the topic, and done.

* Before anything goes: every chunk of the newest countersigned snapshot was read from the topic again and is right, and the
  countersigned manifest is the newest record of its key. If not, another cut is asked for: who starts now lacks it, too.
* The place is noted in the database first; then the records before it go from Kafka, then from the database, some at a time.
  Each step may be repeated, and a new relay does so: whoever is killed in between leaves nothing half-done.
* The place is looked for in what the log holds, from its beginning: no offset is believed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from revocast.issuer.authority.snapshots import Snapshot, SnapshotState, truncation_point
from revocast.issuer.clock import Clock
from revocast.issuer.relay.countersigning import trust_in
from revocast.issuer.relay.reading import PartitionReader
from revocast.issuer.relay.snapshot_topic import SnapshotTopic
from revocast.issuer.storage import Storage
from revocast.issuer.storage.deployment import load_terms
from revocast.issuer.storage.log import head_of
from revocast.issuer.storage.outbox import write_event
from revocast.issuer.storage.publishing import stored_compacts
from revocast.issuer.storage.snapshots import (
    ask_for_cut,
    forget_log,
    oldest_place,
    snapshots_in,
    truncate_to,
)
from revocast.schemas.audit import AuditType
from revocast.schemas.snapshot import manifest_key
from revocast.schemas.trust import Trust

__all__ = ["DeleteBefore", "LogTruncation"]

_LOG: Final = logging.getLogger(__name__)
_FORGOTTEN_AT_ONCE: Final = 500

DeleteBefore = Callable[[str, int], Awaitable[None]]
"""Delete the records of a topic's partition before an offset."""


class LogTruncation:
    """`log` reads the log, apart from the relay's tail; `begins` is told where it begins from now on: n and offset."""

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        log_age: int,
        topic_name: str,
        log: PartitionReader,
        topic: SnapshotTopic,
        delete_before: DeleteBefore,
        begins: Callable[[tuple[int, int], int], None],
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._log_age = log_age
        self._topic_name = topic_name
        self._log = log
        self._topic = topic
        self._delete_before = delete_before
        self._begins = begins
        self._broken: tuple[int, int] | None = None

    async def turn(self) -> bool:
        """Truncate, if there is anything that may go; whether there was."""
        point, newest = await asyncio.to_thread(self._decided)
        if point is None or newest is None or newest.place == self._broken:
            return False
        if not await self._is_whole(newest):
            await asyncio.to_thread(self._ask_for_cut)
            self._broken = newest.place
            return False
        await asyncio.to_thread(self._note, point)
        await self.finish()
        return True

    async def finish(self) -> None:
        """Take the steps that are left of a truncation that was noted."""
        place = await asyncio.to_thread(self._oldest)
        offset = await self._offset_of(place)
        if offset is not None:
            self._begins(place, offset)
            await self._delete_before(self._topic_name, offset)
        while await asyncio.to_thread(self._forget):
            pass

    async def _is_whole(self, snapshot: Snapshot) -> bool:
        held = await self._topic.read_all(await asyncio.to_thread(self._trust))
        manifest = held.manifests.get(manifest_key(*snapshot.place))
        if manifest is not None and held.has_chunks_of(manifest):
            return True
        _LOG.warning(
            "snapshot %d/%d: is not whole on the topic any more; the log is not truncated until the next one is countersigned",
            *snapshot.place,
        )
        return False

    async def _offset_of(self, place: tuple[int, int]) -> int | None:
        """Where the log has this record; None: it has not, or nothing was ever truncated."""
        compact = await asyncio.to_thread(self._compact, place)
        if compact is None:
            return None
        first, end = await self._log.bounds()
        self._log.seek(first)
        while self._log.next_offset < end:
            for record in await self._log.read():
                if record.value == compact:
                    return int(record.offset)
        return None

    # -- what runs in a thread, because the database is synchronous ---------------------------------------------------

    def _decided(self) -> tuple[Snapshot | None, Snapshot | None]:
        with self._storage.read() as session:
            epoch, snapshots = head_of(session).epoch, snapshots_in(session)
            point = truncation_point(snapshots, epoch, int(self._clock()), self._log_age)
            if point is None or point.place <= oldest_place(session):
                return None, None
        return point, [each for each in snapshots if each.state is SnapshotState.COUNTERSIGNED][-1]

    def _trust(self) -> Trust:
        with self._storage.read() as session:
            return trust_in(session, load_terms(session))

    def _oldest(self) -> tuple[int, int]:
        with self._storage.read() as session:
            return oldest_place(session)

    def _compact(self, place: tuple[int, int]) -> bytes | None:
        with self._storage.read() as session:
            stored = stored_compacts(session, place[0], [place[1]]).get(place[1])
        return stored.compact if stored is not None else None

    def _ask_for_cut(self) -> None:
        with self._storage.write() as session:
            ask_for_cut(session)

    def _note(self, point: Snapshot) -> None:
        with self._storage.write() as session:
            truncate_to(session, point.place)
            write_event(
                session,
                self._clock(),
                AuditType.LOG_TRUNCATED,
                source=load_terms(session).issuer,
                subject=f"record/{point.epoch}/{point.n}",
                data={"epoch": point.epoch, "n": point.n, "t": point.t},
            )

    def _forget(self) -> bool:
        with self._storage.write() as session:
            return forget_log(session, _FORGOTTEN_AT_ONCE)
