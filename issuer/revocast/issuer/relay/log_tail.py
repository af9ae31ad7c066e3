"""The log as Kafka has it, compared with the log as the database has it.

* The log begins with record 1 of the epoch, or with the record behind which it was truncated (`oldest`). What a topic still
  holds of what was before that is junk by now: the database has forgotten it.
* The relay publishes n only behind a verified head n-1: `head` is the last record, contiguous from the first one of the log,
  that is byte for byte the stored one.
* Reading begins where an earlier relay noted the end of what Kafka acknowledged, if the record before that place is the
  stored one and the topic still holds the first one. Else it begins at the first record there is.
* A topic that was recreated, or lost records at its beginning or end (S07), is published again from the stored bytes, from
  the first record that is not contiguous: readers take each record once. Asked while the relay runs, too (`check_whole`).
* A record that a delegated event key signed and that the database does not have, or has otherwise, ends publishing
  (`LogMismatch`): the database was restored, or two authorities write one log. Going on would fork it. In an older epoch
  such a record is answered once `recover` joined its revocations in: the newer one re-issued them.
* Anything else on the topic is junk: readers reject it, and so does this. So is what a retired key rewrites of a place that
  was passed: whoever steals it later stops nothing.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiokafka import ConsumerRecord

from revocast.issuer.errors import LogLost, LogMismatch
from revocast.issuer.relay.reading import PartitionReader
from revocast.issuer.storage import Storage
from revocast.issuer.storage.log import head_of, published_place
from revocast.issuer.storage.publishing import Stored, compacts_before, stored_compacts, stored_hashes
from revocast.issuer.storage.recovery import is_joined
from revocast.issuer.storage.snapshots import oldest_place
from revocast.issuer.storage.tables import Publication
from revocast.schemas.errors import SchemaError
from revocast.schemas.events import Envelope
from revocast.schemas.record import Record
from revocast.schemas.trust import Trust

__all__ = ["LogTail", "claimed_number"]

_LONGEST_N: Final = 18


class LogTail:
    """Follows `revocast.revocations`. `trust` holds the delegation list of the database."""

    def __init__(self, storage: Storage, reader: PartitionReader, trust: Trust) -> None:
        self._storage = storage
        self._reader = reader
        self._trust = trust
        self.epoch = 0
        self.oldest = (0, 1)
        """(epoch, n) of the oldest record that the log must hold, whatever its epoch."""
        self.first = 1
        """The n of the epoch's oldest record that the log must hold."""
        self.head = 0
        """The newest n of the epoch that Kafka verifiably has."""
        self.first_offset: int | None = None
        """Where the first record lies."""
        self.lost = 0
        """The newest n that Kafka had acknowledged and has no more, behind `head`; 0: none."""

    @property
    def next_offset(self) -> int:
        """The offset after the newest record that was read."""
        return self._reader.next_offset

    async def open(self) -> None:
        """Find the head of the log. Raises `LogMismatch`."""
        self.epoch, self.oldest, noted = await asyncio.to_thread(self._noted)
        first, end = await self._reader.bounds()
        self.first = self.oldest[1] if self.oldest[0] == self.epoch else 1
        self.head, self.first_offset = self.first - 1, None
        if noted is not None and noted.first_offset is not None and first <= noted.first_offset:
            await self._resume(noted, first, end)
        if self.head < self.first:
            self._reader.seek(first)
        await self.catch_up()
        self.lost = noted.n if noted is not None and noted.n > self.head else 0

    async def _resume(self, noted: Publication, first: int, end: int) -> None:
        if not noted.n or not first < noted.next_offset <= end:
            return
        self._reader.seek(noted.next_offset - 1)
        before = await self._reader.read()
        stored = await asyncio.to_thread(self._stored, [noted.n])
        if (
            before
            and before[0].offset == noted.next_offset - 1
            and _is_stored(before[0].value, stored.get(noted.n))
        ):
            self.head, self.first_offset = noted.n, noted.first_offset
            await self._take(before[1:])

    async def catch_up(self) -> None:
        """Read to an end offset asked now. Raises `LogMismatch`, and `LogLost` when the topic is shorter than before."""
        end = await self._reader.end()
        if end < self._reader.next_offset:
            raise LogLost("the log's topic lost its newest records, or is another one by now")
        while self._reader.next_offset < end:
            await self._take(await self._reader.read())

    async def check_whole(self) -> None:
        """Raise `LogLost` when the topic holds the first record no more, or ends before what was read."""
        first, end = await self._reader.bounds()
        if end < self._reader.next_offset:
            raise LogLost("the log's topic lost its newest records, or is another one by now")
        if self.first_offset is not None and first > self.first_offset:
            raise LogLost(f"the log's topic was truncated at offset {first}, behind record {self.first}")

    def begins(self, place: tuple[int, int], offset: int) -> None:
        """The log was truncated, and begins with this record now, which lies there."""
        self.oldest = place
        if place[0] == self.epoch:
            self.first, self.first_offset = place[1], offset

    async def _take(self, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        # The key is only a hint for the look-up: the comparison of the bytes decides.
        hints = [claimed_number(record.key) for record in records]
        stored, older = await asyncio.to_thread(self._known, hints)
        for record, hint in zip(records, hints, strict=True):
            if _is_stored(record.value, stored.get(hint)):
                self._pass(hint, record.offset)
            elif record.value not in older:
                await self._examine(record)

    async def _examine(self, record: ConsumerRecord[Any, Any]) -> None:
        try:
            envelope = Envelope.parse(record.value or b"")
            key = self._trust.record_key(envelope.kid)
            if key is None or not envelope.verified_by(key):
                return
        except SchemaError:
            return
        try:
            event = envelope.event()
            if event.topic != Record.TOPIC or (event.type != Record.TYPE and event.ignorable):
                return
            found = Record.from_event(event)
        except SchemaError:
            if self._trust.event_key(envelope.kid) is None:
                return  # a retired key's, and not a record
            raise LogMismatch(
                f"offset {record.offset}: signed by an event key of ours and not understood; "
                "a newer release of the issuer wrote it"
            ) from None
        if not self._trust.covers_record(envelope.kid, found.epoch, found.n):
            return
        retired = self._trust.event_key(envelope.kid) is None
        if retired and (found.epoch, found.n) <= (self.epoch, self.head):
            return  # what it signed then is on the log before this; whoever has the key now rewrites nothing
        if (found.epoch, found.n) < self.oldest:
            return
        known, joined = await asyncio.to_thread(self._hash_of, found.epoch, found.n, envelope.hash)
        if found.epoch < self.epoch and joined:
            return
        if known is None:
            raise LogMismatch(
                f"the log is ahead of the database: Kafka holds record {found.epoch}/{found.n} at offset "
                f"{record.offset}, the database does not; it was restored (revocast recover), or is not this log's"
            )
        if known != envelope.hash:
            raise LogMismatch(
                f"the log and the database differ: record {found.epoch}/{found.n} at offset {record.offset} "
                "is not the stored one (revocast recover shows both)"
            )
        if found.epoch == self.epoch:
            self._pass(found.n, record.offset)

    def _pass(self, n: int, offset: int) -> None:
        # A replay stands below the head. A record beyond a gap is there, but not behind its predecessor: the relay
        # publishes from the gap on again, and readers take each record once.
        if n == self.head + 1:
            self.head = n
            if n == self.first:
                self.first_offset = offset

    def _noted(self) -> tuple[int, tuple[int, int], Publication | None]:
        with self._storage.read() as session:
            epoch, place = head_of(session).epoch, published_place(session)
            session.expunge(place)
            return epoch, oldest_place(session), place if place.epoch == epoch else None

    def _stored(self, numbers: Sequence[int]) -> Mapping[int, Stored]:
        with self._storage.read() as session:
            return stored_compacts(session, self.epoch, numbers)

    def _known(self, numbers: Sequence[int]) -> tuple[Mapping[int, Stored], set[bytes]]:
        with self._storage.read() as session:
            older = compacts_before(session, self.epoch, numbers) if self.epoch > 1 else set()
            return stored_compacts(session, self.epoch, numbers), older

    def _hash_of(self, epoch: int, n: int, found: bytes) -> tuple[bytes | None, bool]:
        with self._storage.read() as session:
            return stored_hashes(session, [(epoch, n)]).get((epoch, n)), is_joined(session, found)


def claimed_number(key: bytes | None) -> int:
    """The n that a record's Kafka key claims; 0: none. Anyone may write it: it only says where to look."""
    return int(key) if key and len(key) <= _LONGEST_N and key.isdigit() else 0


def _is_stored(value: bytes | None, stored: Stored | None) -> bool:
    return stored is not None and value == stored.compact
