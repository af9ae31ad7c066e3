"""Snapshots from the issuer's side: cut, derive, compare with what streams signed, countersign.

* One cut at a time is waited for; a newer one takes its place. Its manifest is awaited for as long as no other cut comes.
* Equal in every chunk: the whole manifest goes into an event of ours, under the manifest's own key, where compaction leaves
  ours alone. Different in anything: an alarm that names the first row that differs, and nobody uses that snapshot.
* What is under the manifest's key and no snapshot key signed is logged, and waited past.
* A process that ends between the cut and the comparison leaves that cut as it is: the next one comes.
"""

import asyncio
import logging
import threading
from dataclasses import dataclass, field
from typing import Final

from aiokafka import AIOKafkaProducer
from sqlalchemy.orm import Session

from revocast.issuer.authority.comparison import first_difference, place_problem
from revocast.issuer.authority.terms import Terms
from revocast.issuer.clock import Clock
from revocast.issuer.keystore import KeyStore
from revocast.issuer.relay.snapshot_topic import SnapshotTopic
from revocast.issuer.snapshotting import Cut, CutDesk, Derived
from revocast.issuer.storage import Storage
from revocast.issuer.storage.deployment import load_terms
from revocast.issuer.storage.log import head_of
from revocast.issuer.storage.outbox import write_event
from revocast.issuer.storage.publishing import event_signer
from revocast.issuer.storage.signing_keys import newest_document
from revocast.issuer.storage.snapshots import decide
from revocast.schemas.audit import AuditType
from revocast.schemas.delegations import DelegationList
from revocast.schemas.events import assemble
from revocast.schemas.snapshot import Countersigned, Manifest
from revocast.schemas.trust import Trust

__all__ = ["Countersigner", "trust_in"]

_LOG: Final = logging.getLogger(__name__)
_PAUSE_S: Final = 0.0005


@dataclass(slots=True)
class _Pending:
    """The cut that is waited for, and its table: derived meanwhile, in a thread that `stop` ends."""

    cut: Cut
    deriving: asyncio.Task[Derived]
    stop: threading.Event = field(default_factory=threading.Event)


class _Stopped(Exception):
    """Nobody waits for this table any more."""


class Countersigner:
    """Give it a turn every second while this process publishes; `close` it afterwards. `producer` is the relay's."""

    def __init__(
        self,
        storage: Storage,
        keystore: KeyStore,
        clock: Clock,
        desk: CutDesk,
        topic: SnapshotTopic,
        producer: AIOKafkaProducer,
        topic_name: str,
    ) -> None:
        self._storage = storage
        self._keystore = keystore
        self._clock = clock
        self._desk = desk
        self._topic = topic
        self._producer = producer
        self._topic_name = topic_name
        self._pending: _Pending | None = None

    async def turn(self) -> bool:
        """Cut if it is time, and compare if there is something to compare; whether a cut was compared."""
        await self._cut_if_due()
        pending = self._pending
        if pending is None:
            return False
        terms, trust = await asyncio.to_thread(self._trust)
        position = pending.cut.position
        found = await self._topic.manifest_of((position.epoch, position.n), trust)
        if found is None:
            return False
        manifest, compact = found
        derived = await pending.deriving
        self._pending = None
        try:
            problem = await self._problem(manifest, derived, terms, trust)
            if problem is None:
                await self._countersign(manifest, compact)
            await asyncio.to_thread(self._decide, derived, terms, problem)
        finally:
            derived.forget()
        return True

    async def close(self) -> None:
        """Let go of the cut that is waited for."""
        pending, self._pending = self._pending, None
        if pending is None:
            return
        pending.stop.set()
        try:
            (await pending.deriving).forget()
        except _Stopped:
            pass
        except Exception as error:  # nobody waits for that table any more, but the next one may fail alike
            position = pending.cut.position
            _LOG.warning(
                "snapshot %d/%d: the table could not be read: %s: %s",
                position.epoch,
                position.n,
                type(error).__name__,
                error,
            )

    async def _cut_if_due(self) -> None:
        if not await asyncio.to_thread(self._desk.is_due):
            return
        # Before the record is there, so that no manifest of it is passed by.
        await self._topic.follow_from_end()
        await self.close()
        cut = await asyncio.to_thread(self._desk.take)
        if cut is None:
            return
        stop = threading.Event()
        deriving = asyncio.create_task(asyncio.to_thread(cut.derive, lambda: _pause(stop)))
        self._pending = _Pending(cut, deriving, stop)

    async def _problem(self, manifest: Manifest, derived: Derived, terms: Terms, trust: Trust) -> str | None:
        versions = (trust.versions[0], await asyncio.to_thread(self._key_set_version))
        if problem := place_problem(manifest, derived.table, terms.root, versions):
            return problem
        index = derived.table.differing_chunk(manifest)
        if index is None:
            return None
        row = sum(chunk.rows for chunk in manifest.chunks[:index])
        for number, chunk in enumerate(manifest.chunks[index:], start=index):
            theirs = await self._topic.chunk(chunk)
            if theirs is None:
                return (
                    f"chunk {number} (buckets {chunk.first} to {chunk.last}): its bytes are not on the topic"
                )
            ours = await asyncio.to_thread(derived.rows_at, row, chunk.rows)
            if difference := first_difference(ours, theirs, row):
                return str(difference)
            row += chunk.rows
        if rest := first_difference(derived.rows_at(row, 1), b"", row):
            return str(rest)
        return f"chunk {index}: the same rows, cut into other chunks"

    async def _countersign(self, manifest: Manifest, compact: bytes) -> None:
        signed = await asyncio.to_thread(self._signed, manifest, compact)
        await self._producer.send_and_wait(self._topic_name, signed, key=manifest.key, partition=0)

    # -- what runs in a thread, because the database is synchronous ---------------------------------------------------

    def _trust(self) -> tuple[Terms, Trust]:
        with self._storage.read() as session:
            terms = load_terms(session)
            return terms, trust_in(session, terms)

    def _key_set_version(self) -> int:
        with self._storage.read() as session:
            return head_of(session).key_set

    def _signed(self, manifest: Manifest, compact: bytes) -> bytes:
        with self._storage.read() as session:
            issuer, signer = load_terms(session).issuer, event_signer(session, self._keystore)
        body = Countersigned(
            t=int(self._clock()), epoch=manifest.epoch, n=manifest.n, manifest=compact.decode()
        )
        signing_input = body.signing_input(issuer, signer.kid, signer.alg)
        return assemble(signing_input, signer.sign(signing_input))

    def _decide(self, derived: Derived, terms: Terms, problem: str | None) -> None:
        table, now = derived.table, self._clock()
        place = (table.position.epoch, table.position.n)
        name, rows = f"{place[0]}/{place[1]}", {"rows": table.rows}
        with self._storage.write() as session:
            decide(session, place, table.rows, int(now), problem)
            type = AuditType.SNAPSHOT_DIFFERS if problem else AuditType.SNAPSHOT_COUNTERSIGNED
            data = {**rows, "difference": problem} if problem else rows
            write_event(session, now, type, source=terms.issuer, subject=f"snapshot/{name}", data=data)
        if problem:
            _LOG.critical("snapshot %s: streams hold another table, and nobody uses it: %s", name, problem)
        else:
            _LOG.info("snapshot %s: countersigned, %d rows", name, table.rows)


def trust_in(session: Session, terms: Terms) -> Trust:
    """A reader's trust that has taken the delegation list in force."""
    trust = Trust(terms.issuer, terms.root)
    trust.receive(newest_document(session, DelegationList.TYPE).compact, 0)
    return trust


def _pause(stop: threading.Event) -> None:
    # Whoever waits for the interpreter gets it now, and not after the 5 ms that it grants a thread.
    if stop.wait(_PAUSE_S):
        raise _Stopped
