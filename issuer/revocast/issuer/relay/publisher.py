"""What the elected relay does with one pair of Kafka clients: from the database onto the topics, in order.

* Key documents first: a reader that is handed a record reads the keys topic for the versions that it names, and then
  judges for good. So documents are looked for after the batch was read: what was committed with a record is there.
* Records only behind a verified head. Their sends are pipelined; only the contiguous acknowledged beginning counts.
* Whoever waits is woken at the acknowledgement, before the database is told: the log itself says what is published.
* A newer delegation list, in the database or on the topic, ends this publisher (`Outdated`): the next one checks the log
  under it, and only then adopts what is on the topic. The adoption appends a record, which onto a restored database would
  be a fork.
* Any error ends this publisher. The next one begins by checking the log again, so it never has to guess what was written.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aiokafka import AIOKafkaProducer
from sqlalchemy.orm import Session

from revocast.issuer.authority.terms import Terms
from revocast.issuer.clock import Clock
from revocast.issuer.errors import Conflict, InvalidRequest, LogMismatch
from revocast.issuer.keystore import KeyStore
from revocast.issuer.publication import Publication
from revocast.issuer.relay.keys_topic import KeysTopic, SignedList
from revocast.issuer.relay.log_tail import LogTail
from revocast.issuer.relay.reading import Consumers, PartitionReader
from revocast.issuer.storage import Storage
from revocast.issuer.storage.deployment import load_terms
from revocast.issuer.storage.log import head_of
from revocast.issuer.storage.outbox import drop_events, oldest_events
from revocast.issuer.storage.publishing import (
    Stored,
    event_signer,
    has_records_after,
    mark_documents,
    mark_published,
    sign_records,
    stored_hashes,
)
from revocast.issuer.storage.signing_keys import event_key, newest_document, unpublished_documents
from revocast.issuer.trust_desk import TrustDesk
from revocast.schemas.checkpoint import Checkpoint
from revocast.schemas.delegations import DelegationList
from revocast.schemas.events import assemble
from revocast.schemas.keyset import KeySet
from revocast.schemas.topics import Topics
from revocast.schemas.trust import Trust

__all__ = ["Outdated", "Parts", "Publisher"]

_BATCH: Final = 200
_AUDIT_TYPE: Final = [("content-type", b"application/cloudevents+json; charset=UTF-8")]


@dataclass(frozen=True, slots=True)
class Parts:
    """What a publisher works with."""

    storage: Storage
    keystore: KeyStore
    publication: Publication
    topics: Topics
    clock: Clock


class Outdated(Exception):
    """There is a newer delegation list: check the log again under it."""


class Publisher:
    """Lives from one check of the log to the first error. `producer` is idempotent with `acks=all`; all clients are started."""

    def __init__(self, parts: Parts, producer: AIOKafkaProducer, consumers: Consumers) -> None:
        self._storage = parts.storage
        self._keystore = parts.keystore
        self._publication = parts.publication
        self._topics = parts.topics
        self._clock = parts.clock
        self._producer = producer
        self._consumers = consumers
        self._desk = TrustDesk(parts.storage, parts.keystore, parts.publication, parts.clock)
        self._checkpoint_t = 0
        self._live_set_n: int | None = None

    async def open(self) -> None:
        """Compare both control topics with the database. Raises `LogMismatch`, and `Outdated` after it adopted a list."""
        terms = await asyncio.to_thread(self._terms)
        self._issuer = terms.issuer
        keys = PartitionReader(self._consumers, self._topics.keys)
        self._keys = KeysTopic(self._storage, keys, terms.issuer, terms.root)
        await self._keys.open()
        lists = await self._keys.newer_lists()
        trust = Trust(terms.issuer, terms.root)
        trust.receive(lists[-1].compact if lists else await asyncio.to_thread(self._in_force), 0)
        self._tail = LogTail(self._storage, PartitionReader(self._consumers, self._topics.revocations), trust)
        await self._tail.open()
        if lists:
            await asyncio.to_thread(self._adopt, lists)
            raise Outdated
        self._delegations = trust.versions[0]
        await asyncio.to_thread(self._check_signer, trust)
        await asyncio.to_thread(self._check_next)
        await asyncio.to_thread(self._find_live_set)
        await self._note(self._tail.head)
        await self._publish_documents(await self._keys.missing())

    @property
    def lost(self) -> str | None:
        """What Kafka had acknowledged and has no more, in a sentence; the database has it, so it is published again."""
        tail = self._tail
        if tail.lost <= tail.head:
            return None
        return (
            f"Kafka lost records {tail.head + 1} to {tail.lost} of epoch {tail.epoch}; they are published again from the "
            "database"
        )

    def log_begins(self, place: tuple[int, int], offset: int) -> None:
        """The log was truncated: what it must hold begins with this record, which lies there."""
        self._tail.begins(place, offset)

    async def check_current(self) -> None:
        """Raise `Outdated` when another delegation list is in force."""
        if await asyncio.to_thread(self._version_in_force) != self._delegations:
            raise Outdated

    async def check_keys(self) -> None:
        """Raise `Outdated` when the topic holds a newer list, and `LogMismatch`."""
        if await self._keys.newer_lists():
            raise Outdated

    async def publish_documents(self) -> None:
        """Publish key sets and delegation lists that Kafka does not have yet."""
        documents = await asyncio.to_thread(self._unpublished)
        if documents:
            # A list that got there first is the one that readers believe.
            await self.check_keys()
        await self._publish_documents(documents)

    async def publish_records(self) -> int:
        """Publish the log up to the database's head; how many records. Raises `LogMismatch` and Kafka's errors."""
        published = 0
        while await asyncio.to_thread(self._has_more):
            await self._tail.catch_up()
            batch = await asyncio.to_thread(self._signed)
            if batch:
                await self.publish_documents()
                await self._publish_batch(batch)
                # What was acknowledged is read back before the next batch goes behind it.
                await self._tail.catch_up()
                await self._note(self._tail.head)
                published += len(batch)
        return published

    async def publish_checkpoint(self) -> int | None:
        """Say that the log's head is where Kafka has it; the checkpoint's time, or None before the first record."""
        if self._tail.head < self._tail.first:
            return None
        await self._tail.check_whole()
        checkpoint, compact = await asyncio.to_thread(self._signed_checkpoint)
        await self._producer.send_and_wait(self._topics.checkpoints, compact, key=checkpoint.key, partition=0)
        self._checkpoint_t = checkpoint.t
        return checkpoint.t

    async def publish_audit(self) -> None:
        """Publish the outbox and forget what was acknowledged. A crash in between repeats events, with the same ids."""
        while events := await asyncio.to_thread(self._oldest_events):
            sent = [
                await self._producer.send(
                    self._topics.audit, event, key=event_id.encode(), headers=_AUDIT_TYPE
                )
                for _, event_id, event in events
            ]
            await asyncio.gather(*sent)
            await asyncio.to_thread(self._drop_events, [seq for seq, _, _ in events])

    async def _publish_batch(self, batch: Sequence[Stored]) -> None:
        topic = self._topics.revocations
        sent = [
            await self._producer.send(topic, stored.compact, key=str(stored.n).encode(), partition=0)
            for stored in batch
        ]
        place = self._tail.next_offset
        try:
            for stored, acknowledgement in zip(batch, sent, strict=True):
                landed = (await acknowledgement).offset
                # Right behind the verified head. If anything got in between, it is read before anyone is told.
                if landed == place:
                    self._tell(stored.n)
                    place += 1
        finally:
            for acknowledgement in sent:
                acknowledgement.cancel()

    async def _publish_documents(self, documents: Sequence[tuple[str, bytes]]) -> None:
        for jti, compact in documents:
            await self._producer.send_and_wait(self._topics.keys, compact, key=jti.encode(), partition=0)
            await asyncio.to_thread(self._mark_document, jti)

    async def _note(self, n: int) -> None:
        self._tell(n)
        await asyncio.to_thread(self._mark_published, self._tail.epoch, n, self._tail.next_offset)

    def _tell(self, n: int) -> None:
        """Wake who waits for record n: not before readers enforce the epoch that it is in."""
        if self._live_set_n is not None and n >= self._live_set_n:
            self._publication.acknowledged(self._tail.epoch, n)

    # -- what runs in a thread, because the database is synchronous ---------------------------------------------------

    def _terms(self) -> Terms:
        with self._storage.read() as session:
            return load_terms(session)

    def _in_force(self) -> bytes:
        with self._storage.read() as session:
            return newest_document(session, DelegationList.TYPE).compact

    def _version_in_force(self) -> int:
        with self._storage.read() as session:
            return head_of(session).delegations

    def _check_signer(self, trust: Trust) -> None:
        with self._storage.read() as session:
            signing = event_key(session).kid
        if trust.event_key(signing) is None:
            raise LogMismatch(
                f"the delegation list in force does not delegate to {signing}, which signs here: the root must sign one "
                "that does (revocast trust delegate)"
            )

    def _adopt(self, lists: Sequence[SignedList]) -> None:
        """Adopt them in their order. Raises `LogMismatch` when the newest cannot be adopted."""
        refused = None
        for listed in lists:
            try:
                self._desk.adopt(listed.compact, actor="root")
                self._mark_document(f"delegations/{listed.version}")
                refused = None
            except (Conflict, InvalidRequest) as error:
                refused = (
                    f"the keys topic holds delegation list {listed.version}, which the root signed, and it cannot be "
                    f"adopted: {error}; sign another one on top of it"
                )
        if refused is not None:
            raise LogMismatch(refused)

    def _check_next(self) -> None:
        """What Kafka lost can only be published again while the database has it."""
        with self._storage.read() as session:
            head, place = head_of(session), (self._tail.epoch, self._tail.head + 1)
            if (
                head.epoch == place[0]
                and head.n >= place[1]
                and not has_records_after(session, place[0], place[1] - 1)
            ):
                raise LogMismatch(
                    f"neither Kafka nor the database has record {place[0]}/{place[1]}: readers can only go on in a new epoch "
                    "(revocast trust new-epoch)"
                )

    def _find_live_set(self) -> None:
        with self._storage.read() as session:
            self._read_live_set(session)

    def _read_live_set(self, session: Session) -> None:
        head = head_of(session)
        if head.epoch == self._tail.epoch:
            self._live_set_n = head.live_set_n

    def _unpublished(self) -> list[tuple[str, bytes]]:
        with self._storage.read() as session:
            return [(document.jti, document.compact) for document in unpublished_documents(session)]

    def _mark_document(self, jti: str) -> None:
        with self._storage.write() as session:
            mark_documents(session, [jti], int(self._clock()))

    def _has_more(self) -> bool:
        with self._storage.read() as session:
            return has_records_after(session, self._tail.epoch, self._tail.head)

    def _signed(self) -> list[Stored]:
        with self._storage.write() as session:
            signed = sign_records(session, self._tail.epoch, self._tail.head, _BATCH, self._keystore)
            # After the records: if the one that closes the live set is among them, this knows it.
            self._read_live_set(session)
            return signed

    def _mark_published(self, epoch: int, n: int, next_offset: int) -> None:
        with self._storage.write() as session:
            mark_published(session, epoch, n, next_offset, self._tail.first_offset)

    def _signed_checkpoint(self) -> tuple[Checkpoint, bytes]:
        with self._storage.read() as session:
            epoch, n = self._tail.epoch, self._tail.head
            checkpoint = Checkpoint(
                t=max(int(self._clock()), self._checkpoint_t),
                epoch=epoch,
                n=n,
                hash=stored_hashes(session, [(epoch, n)])[epoch, n],
                delegations=newest_document(session, DelegationList.TYPE, published=True).version,
                key_set=newest_document(session, KeySet.TYPE, published=True).version,
            )
            signer = event_signer(session, self._keystore)
        signing_input = checkpoint.signing_input(self._issuer, signer.kid, signer.alg)
        return checkpoint, assemble(signing_input, signer.sign(signing_input))

    def _oldest_events(self) -> list[tuple[int, str, bytes]]:
        with self._storage.read() as session:
            return [(row.seq, row.event_id, row.event) for row in oldest_events(session, _BATCH)]

    def _drop_events(self, seqs: Sequence[int]) -> None:
        with self._storage.write() as session:
            drop_events(session, seqs)
