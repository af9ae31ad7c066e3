"""The relay: stand for election, check the log, publish; after any error, from the start again.

Its state, as in `RelayReport`:

    stopped      not running
    standby      another process publishes
    connecting   elected, and Kafka or the database does not answer
    publishing   elected, the log is verified, what is committed is published
    refusing     elected, and Kafka holds something signed that the database does not know; stays until that is solved
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError

from revocast.issuer.authority.answers import RelayReport
from revocast.issuer.clock import Clock, wall_clock
from revocast.issuer.errors import IssuerError, LogMismatch
from revocast.issuer.key_desk import KeyDesk
from revocast.issuer.keystore import KeyStore
from revocast.issuer.publication import Publication
from revocast.issuer.reissuing import Reissue
from revocast.issuer.relay.election import ElectionLost, election_for
from revocast.issuer.relay.publisher import Outdated, Parts, Publisher
from revocast.issuer.relay.reading import REQUEST_MS, Consumers
from revocast.issuer.relay.upkeep import Upkeep, UpkeepRules
from revocast.issuer.revoking import RevocationDesk
from revocast.issuer.storage import Storage
from revocast.issuer.storage.deployment import load_terms
from revocast.issuer.storage.outbox import write_event
from revocast.schemas.audit import AuditType
from revocast.schemas.connecting import obstacle
from revocast.schemas.settings import KafkaSettings

__all__ = ["Relay"]

_LOG: Final = logging.getLogger(__name__)

_STAND_EVERY_S: Final = 0.5
_LOOK_EVERY_S: Final = 0.02
_TIMERS_EVERY_S: Final = 1.0
_CHECKPOINT_EVERY_S: Final = 2.0
_BURST: Final = 20
_STEPS: Final = 10
_RETRY_S: Final = (0.1, 2.0)
_REFUSE_EVERY_S: Final = 5.0
_STOP_S: Final = 5.0


class Relay:
    """One per issuer process; `publication` is shared with its `Service`. Run it with `start` and `stop`."""

    def __init__(
        self,
        storage: Storage,
        keystore: KeyStore,
        publication: Publication,
        kafka: KafkaSettings,
        clock: Clock = wall_clock,
        rules: UpkeepRules | None = None,
    ) -> None:
        self._storage = storage
        self._publication = publication
        self._kafka = kafka
        self._clock = clock
        self._parts = Parts(storage, keystore, publication, kafka.topics, clock)
        self._election = election_for(storage)
        self._desk = RevocationDesk(storage, publication, clock)
        self._keys = KeyDesk(storage, keystore, publication, clock)
        self._upkeep = Upkeep(self._parts, kafka, rules or UpkeepRules())
        self._reissue = Reissue(storage, publication, clock)
        self._committed = asyncio.Event()
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._refused: str | None = None

    async def start(self) -> None:
        """Begin to stand for election and to publish."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(self._committed.set)

        self._publication.when_committed(wake)
        self._task = asyncio.create_task(self._run(), name="revocast-relay")

    async def stop(self) -> None:
        """Finish the step at hand and leave the seat. What is not published waits for the next relay."""
        self._publication.when_committed(lambda: None)
        self._stop.set()
        self._committed.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=_STOP_S)
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._closing:
            await asyncio.wait(self._closing, timeout=_STOP_S)
        self._report("stopped")

    async def _run(self) -> None:
        loop, delay = asyncio.get_running_loop(), _RETRY_S[0]
        try:
            while not self._stop.is_set():
                started = loop.time()
                try:
                    if await self._election.stand():
                        await self._lead()
                        continue
                    self._report("standby")
                    await self._pause(_STAND_EVERY_S)
                except LogMismatch as error:
                    await self._refuse(error)
                except ElectionLost as error:
                    _LOG.warning("relay: %s; standing again", error)
                    await self._election.resign()
                except (KafkaError, IssuerError, OSError) as error:
                    problem = await self._in_words(error)
                    self._report("connecting", problem)
                    _LOG.warning("relay: %s; checking the log again", problem)
                    delay = (
                        _RETRY_S[0] if loop.time() - started > _RETRY_S[1] else min(delay * 2, _RETRY_S[1])
                    )
                    await self._pause(delay)
                except Exception as error:
                    # A relay that ended without a word would leave everything pending.
                    self._report("connecting", f"{type(error).__name__}: {error}")
                    _LOG.exception("relay: unexpected; checking the log again")
                    await self._pause(_RETRY_S[1])
        finally:
            self._publication.leading = False
            await self._election.resign()

    async def _lead(self) -> None:
        self._report("connecting", self._publication.relay.problem)
        self._publication.forget()
        async with self._clients() as (producer, consumers):
            while not self._stop.is_set():
                publisher = Publisher(self._parts, producer, consumers)
                await self._election.check()
                try:
                    await publisher.open()
                    self._refused = None
                    if publisher.lost is not None:
                        _LOG.critical("relay: %s", publisher.lost)
                        await asyncio.to_thread(self._audit, AuditType.LOG_REPUBLISHED, publisher.lost)
                    checkpoint_at = self._publication.relay.checkpoint_at
                    self._report("publishing", publisher.lost, checkpoint_at=checkpoint_at)
                    self._publication.leading = True
                    upkeep = asyncio.create_task(
                        self._upkeep.run(publisher, producer), name="revocast-upkeep"
                    )
                    try:
                        await self._publish_until_stopped(publisher)
                    finally:
                        upkeep.cancel()
                        self._close_later(upkeep)
                except Outdated:
                    continue
                except LogMismatch:
                    await publisher.publish_audit()
                    raise
                finally:
                    self._publication.leading = False

    async def _publish_until_stopped(self, publisher: Publisher) -> None:
        loop = asyncio.get_running_loop()
        checkpoint_due = timers_due = loop.time()
        while not self._stop.is_set():
            # Before anything is read of what others wrote: a commit that comes later sets it again.
            self._committed.clear()
            await self._election.check()
            marks = await self._election.marks()
            await publisher.publish_documents()
            published = await publisher.publish_records()
            if published >= _BURST or loop.time() >= checkpoint_due:
                await publisher.check_keys()
                t = await publisher.publish_checkpoint()
                self._report("publishing", checkpoint_at=t)
                checkpoint_due = loop.time() + _CHECKPOINT_EVERY_S
            await publisher.publish_audit()
            if loop.time() >= timers_due:
                await asyncio.to_thread(self._handle_timers)
                timers_due = loop.time() + _TIMERS_EVERY_S
            await publisher.check_current()
            # A part of a new epoch's live set at a time: what was revoked in between does not wait for all of it.
            if not await asyncio.to_thread(self._reissue_some):
                await self._next_work(marks, min(checkpoint_due, timers_due))

    def _reissue_some(self) -> bool:
        return all(self._reissue.step() for _ in range(_STEPS))

    async def _next_work(self, marks: tuple[int, ...], due: float) -> None:
        """Return when this process committed, when another one did, or at `due`."""
        loop = asyncio.get_running_loop()
        while loop.time() < due:
            try:
                async with asyncio.timeout(min(_LOOK_EVERY_S, due - loop.time())):
                    await self._committed.wait()
                return
            except TimeoutError:
                if await self._election.marks() != marks:
                    return

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()

    async def _refuse(self, error: LogMismatch) -> None:
        self._report("refusing", str(error))
        if self._refused != str(error):
            self._refused = str(error)
            _LOG.critical("relay: refuses to publish: %s", error)
            with suppress(IssuerError):
                await asyncio.to_thread(self._audit, AuditType.PUBLISHING_REFUSED, str(error))
        await self._pause(_REFUSE_EVERY_S)

    @asynccontextmanager
    async def _clients(self) -> AsyncIterator[tuple[AIOKafkaProducer, Consumers]]:
        options = {**self._kafka.client_options(), "request_timeout_ms": REQUEST_MS}
        producer = AIOKafkaProducer(**options, acks="all", enable_idempotence=True)
        consumers = Consumers.of(self._kafka)
        clients = (producer, consumers.reading, consumers.asking)
        topics = self._kafka.topics
        try:
            for client in clients:
                await client.start()
            consumers.assign(topics.keys, topics.revocations)
            yield producer, consumers
        finally:
            # Stopping flushes, which takes as long as a broker is away: it must not keep the next check waiting.
            # What an old producer still delivers are stored bytes, and a reader takes each record once.
            for client in clients:
                self._close_later(asyncio.create_task(_stop(client)))

    def _close_later(self, task: asyncio.Task[None]) -> None:
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _in_words(self, error: Exception) -> str:
        said = f"{type(error).__name__}: {error}"
        if isinstance(error, KafkaConnectionError) and (why := await obstacle(create_conn, self._kafka)):
            return f"Kafka: {why}"
        return said

    def _handle_timers(self) -> None:
        self._keys.advance()
        self._desk.let_go()

    def _audit(self, type: AuditType, problem: str) -> None:
        with self._storage.write() as session:
            issuer = load_terms(session).issuer
            data = {"problem": problem}
            write_event(
                session,
                self._clock(),
                type,
                source=issuer,
                subject=self._kafka.topics.revocations,
                data=data,
            )

    def _report(self, state: str, problem: str | None = None, *, checkpoint_at: int | None = None) -> None:
        self._publication.relay = RelayReport(state, problem, checkpoint_at)


async def _stop(client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
    with suppress(KafkaError, OSError):
        await client.stop()
