"""Truncating `revocast.keys`: the delegation list in force and the newest key set say all that the older ones said.

* The list carries every root hand-over, every retired key with its bound and the hash of the list that opened the epoch; the
  key set lists every key under which a token may still be accepted, or must be refused.
* Both are published again, behind everything. Then the whole topic is read as a reader reads it: only if that ends with these
  two in force, and the database has none that is newer, does what lies before them go.
* The older ones go from the database, too.
"""

import asyncio
from typing import Final

from aiokafka import AIOKafkaProducer

from revocast.issuer.clock import Clock
from revocast.issuer.relay.reading import PartitionReader
from revocast.issuer.relay.truncating import DeleteBefore
from revocast.issuer.storage import Storage
from revocast.issuer.storage.deployment import load_terms
from revocast.issuer.storage.outbox import write_event
from revocast.issuer.storage.signing_keys import drop_documents, newest_document
from revocast.schemas.audit import AuditType
from revocast.schemas.delegations import DelegationList
from revocast.schemas.keyset import KeySet
from revocast.schemas.trust import Trust

__all__ = ["KeysTruncation"]

_KEPT: Final = 64
_BOTH: Final = 2

_Document = tuple[str, bytes]


class KeysTruncation:
    """`keys` reads the topic, apart from the relay's own reader."""

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        topic_name: str,
        keys: PartitionReader,
        producer: AIOKafkaProducer,
        delete_before: DeleteBefore,
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._topic_name = topic_name
        self._keys = keys
        self._producer = producer
        self._delete_before = delete_before

    async def turn(self) -> bool:
        """Truncate, if the topic holds many more documents than it needs, or junk; whether it did."""
        first, end = await self._keys.bounds()
        if end - first <= _KEPT + _BOTH:
            return False
        newest = await asyncio.to_thread(self._newest)
        if newest is None:
            return False
        places = [await self._publish(document) for document in newest]
        if not await self._are_in_force(newest, places) or await asyncio.to_thread(self._newest) != newest:
            return False
        await self._delete_before(self._topic_name, places[0])
        await asyncio.to_thread(self._forget, newest, places[0] - first)
        return True

    async def _publish(self, document: _Document) -> int:
        jti, compact = document
        landed = await self._producer.send_and_wait(self._topic_name, compact, key=jti.encode(), partition=0)
        return int(landed.offset)

    async def _are_in_force(self, newest: list[_Document], places: list[int]) -> bool:
        """Whether a reader of the whole topic, and one of these two alone, believes these two in the end."""
        before, alone = await asyncio.to_thread(self._reader), await asyncio.to_thread(self._reader)
        stand: dict[int, bytes | None] = {}
        first, _ = await self._keys.bounds()
        self._keys.seek(first)
        while self._keys.next_offset <= places[-1]:
            for record in await self._keys.read():
                if record.offset > places[-1]:
                    break
                before.receive(record.value, record.offset)
                if record.offset in places:
                    stand[record.offset] = record.value
                    alone.receive(record.value, record.offset)
        wanted = [compact for _, compact in newest]
        believed = [(reader.delegations, reader.key_set) for reader in (before, alone)]
        whole = None not in believed[0] and believed[0] == believed[1]
        return whole and [stand.get(place) for place in places] == wanted

    # -- what runs in a thread, because the database is synchronous ---------------------------------------------------

    def _newest(self) -> list[_Document] | None:
        """List and key set; None: one of them Kafka has never had, and it comes soon."""
        with self._storage.read() as session:
            newest = [newest_document(session, type) for type in (DelegationList.TYPE, KeySet.TYPE)]
            if any(document.published_at is None for document in newest):
                return None
            return [(document.jti, document.compact) for document in newest]

    def _reader(self) -> Trust:
        with self._storage.read() as session:
            terms = load_terms(session)
        return Trust(terms.issuer, terms.root)

    def _forget(self, newest: list[_Document], deleted: int) -> None:
        with self._storage.write() as session:
            drop_documents(session, keep=[jti for jti, _ in newest])
            data = {"records": deleted, "kept": [jti for jti, _ in newest]}
            write_event(
                session,
                self._clock(),
                AuditType.KEYS_TRUNCATED,
                source=load_terms(session).issuer,
                subject=newest[0][0],
                data=data,
            )
