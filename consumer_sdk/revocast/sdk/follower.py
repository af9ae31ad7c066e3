"""The Kafka side of a guard: three partitions, assigned by hand, no consumer group, no commits, for ever.

* Keys are read to their end first, then checkpoints, then the log from where the core begins (beginning.py); then all three as
  records come.
* End offsets are asked for every few seconds, and at once when the core waits for keys. Reaching one tells the core
  how current it is. A question never stops the reading.
* A lost connection, a broker that is away, a topic that does not exist yet: tried again, ever more slowly, with jitter.
* When records are missing, the log is read again, as recovery.py says when and from where.
"""

import asyncio
import contextlib
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError, OffsetOutOfRangeError

from revocast.schemas.connecting import obstacle
from revocast.schemas.settings import KafkaSettings
from revocast.sdk.backoff import Backoff
from revocast.sdk.beginning import Beginning, Extent
from revocast.sdk.clock import Clock
from revocast.sdk.core import Asked, GuardCore, Received
from revocast.sdk.freshness import State, Topic
from revocast.sdk.journal import Journal, logger
from revocast.sdk.recovery import Recovery, Step

__all__ = ["Follower"]

_ASK_EVERY: Final = 5.0
_WAIT: Final = 1.0
_STARTING_WAIT: Final = 0.05
_SLICE: Final = 16
_BATCH: Final = 1024
_RECENT_CHECKPOINTS: Final = 100
_STOP_TIMEOUT: Final = 5.0


class _LinkLost(Exception):
    """The broker has not answered for too long: connect anew."""


class Follower:
    """Feeds one core. `problem` says what is wrong with the connection; empty: nothing."""

    def __init__(
        self,
        settings: KafkaSettings,
        core: GuardCore,
        clock: Clock,
        journal: Journal,
        beginning: Beginning | None = None,
        recovery: Recovery | None = None,
    ) -> None:
        topics = settings.topics
        names = {
            Topic.KEYS: topics.keys,
            Topic.CHECKPOINTS: topics.checkpoints,
            Topic.LOG: topics.revocations,
        }
        self.problem = "not connected yet"
        self._settings = settings
        self._options = settings.client_options()
        self._partitions = {topic: TopicPartition(name, 0) for topic, name in names.items()}
        self._core = core
        self._clock = clock
        self._journal = journal
        self._next: dict[Topic, int] = {}
        self._marks: dict[Topic, tuple[Asked, int]] = {}
        self._asked_at = float("-inf")
        self._ask_every = min(_ASK_EVERY, core.freshness.limits.link_age / 4)
        self._looked_near_end = False
        self._connect_backoff = Backoff(0.1, 10.0)
        self.beginning = beginning or Beginning(settings, core, clock, None)
        self.recovery = recovery or Recovery()
        self._begun = False
        self._log = Extent(0, 0)
        self._snapshot_backoff = Backoff(1.0, 60.0)
        self._next_snapshot = 0.0

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self._session()
            except asyncio.CancelledError:
                # aiokafka lets the cancellation of its own requests out when a connection dies. Taken for ours, it would
                # end the reader for good, without a word.
                if (task := asyncio.current_task()) is None or task.cancelling():
                    raise
                self.problem = "Kafka: the connection was lost"
                logger.info("connecting again: %s", self.problem)
            except (KafkaError, OSError, TimeoutError, _LinkLost) as error:
                why = (
                    await obstacle(create_conn, self._settings)
                    if isinstance(error, KafkaConnectionError)
                    else ""
                )
                self.problem = f"Kafka: {why or str(error) or type(error).__name__}"
                logger.info("connecting again: %s", self.problem)
            except (
                Exception
            ) as error:  # a defect must not leave the service deaf: it is told, and tried again
                self.problem = f"a defect in the guard: {type(error).__name__}"
                logger.exception("the guard's reader failed; starting it again")
            _end_if_cancelled()
            await asyncio.sleep(self._connect_backoff.next())

    async def _session(self) -> None:
        consumer = AIOKafkaConsumer(
            **self._options,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",  # a log that starts after our offset must be noticed, not skipped into
            isolation_level="read_uncommitted",  # anybody's hanging transaction would hold up the other level
            request_timeout_ms=10_000,
            metadata_max_age_ms=30_000,
        )
        asking: asyncio.Task[None] | None = None
        try:
            await consumer.start()
            await self._assign(consumer)
            self._marks.clear()
            self._asked_at = float("-inf")
            connected_at = self._clock().monotonic
            while True:
                _end_if_cancelled()
                if asking is not None and asking.done() and not asking.cancelled():
                    asking.result()  # a defect in asking is one of the session
                if (asking is None or asking.done()) and self._should_ask():
                    asking = asyncio.create_task(self._ask(consumer))
                await self._read(consumer)
                self._check_link(connected_at)
                await self._reread_if_needed(consumer)
        finally:
            if asking is not None:
                asking.cancel()
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(_STOP_TIMEOUT):
                    await consumer.stop()

    async def _assign(self, consumer: AIOKafkaConsumer) -> None:
        # Asked for by name, a missing topic would be created by some brokers, with a configuration that loses records.
        existing = await consumer.topics()
        missing = sorted(tp.topic for tp in self._partitions.values() if tp.topic not in existing)
        if missing:
            raise _LinkLost(
                f"no such topic: {', '.join(missing)}; has the issuer been initialized, and may we read them?"
            )
        partitions = list(self._partitions.values())
        consumer.assign(partitions)
        begins = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        log = self._partitions[Topic.LOG]
        self._log = Extent(begins[log], ends[log])
        for topic, tp in self._partitions.items():
            start = self._next.get(topic, begins[tp])
            if topic is Topic.CHECKPOINTS and self._core.chain.checkpoint is None:
                # Only the newest counts, and compaction is lazy: begin near the end, and look further if none is there.
                start = max(begins[tp], ends[tp] - _RECENT_CHECKPOINTS)
                self._looked_near_end = start > begins[tp]
            consumer.seek(tp, start)

    def _should_ask(self) -> bool:
        since = self._clock().monotonic - self._asked_at
        if self._marks and since < 2 * self._ask_every:
            return False  # the last question is still being answered, by reading up to it
        return self._core.wants_keys or self._core.state is State.STARTING or since >= self._ask_every

    async def _ask(self, consumer: AIOKafkaConsumer) -> None:
        asked = self._core.ask(self._clock())
        self._asked_at = asked.at.monotonic
        try:
            ends = await consumer.end_offsets(list(self._partitions.values()))
        except (KafkaError, OSError, TimeoutError) as error:
            self.problem = f"Kafka does not answer: {type(error).__name__}"
            return
        self.problem = ""
        self._connect_backoff.reset()
        self._marks = {topic: (asked, ends[tp]) for topic, tp in self._partitions.items()}
        await self._reach_marks(consumer)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        if not self._begun and Topic.LOG in self._active():
            await self._begin(consumer)
        active = [self._partitions[topic] for topic in self._active()]
        wait = _STARTING_WAIT if self._core.state is State.STARTING else min(_WAIT, self._ask_every)
        try:
            batches = await consumer.getmany(*active, timeout_ms=int(wait * 1000), max_records=_BATCH)
        except OffsetOutOfRangeError as error:
            await self._begin_again(consumer, error)
            return
        for topic in Topic:
            tp = self._partitions[topic]
            if records := batches.get(tp):
                await self._feed(topic, records)
                self._next[topic] = await consumer.position(tp)
        await self._reach_marks(consumer)

    async def _begin(self, consumer: AIOKafkaConsumer) -> None:
        log = self._partitions[Topic.LOG]
        # What was asked when the session began: by now a question would wait behind a fetch that waits for records.
        start = await self.beginning.begin(self._log)
        self._begun = True
        consumer.seek(log, start)

    async def _extent(self, consumer: AIOKafkaConsumer) -> Extent:
        log = self._partitions[Topic.LOG]
        begins, ends = await consumer.beginning_offsets([log]), await consumer.end_offsets([log])
        return Extent(begins[log], ends[log])

    def _active(self) -> list[Topic]:
        """The topics to read now: each waits, once, for the one before to have been read to its end."""
        freshness, active = self._core.freshness, []
        for topic in Topic:
            active.append(topic)
            if not freshness.has_seen_end(topic):
                break
        return active

    async def _feed(self, topic: Topic, records: list[ConsumerRecord[bytes, bytes]]) -> None:
        for start in range(0, len(records), _SLICE):
            part = [Received(record.offset, record.value) for record in records[start : start + _SLICE]]
            self._journal.verdicts(topic, self._core.receive(topic, part, self._clock()))
            await asyncio.sleep(0)  # a long log must not hold up the service's own requests

    async def _reach_marks(self, consumer: AIOKafkaConsumer) -> None:
        for topic, (asked, end) in list(self._marks.items()):
            # The position, not the last record's offset: what compaction or a transaction left has no record.
            if await consumer.position(self._partitions[topic]) < end or not self._marks.pop(topic, None):
                continue
            if topic is Topic.CHECKPOINTS and self._looked_near_end and self._core.chain.checkpoint is None:
                self._looked_near_end = False
                await consumer.seek_to_beginning(self._partitions[topic])
                self._marks.clear()
                return
            self._journal.verdicts(topic, self._core.caught_up(topic, asked, self._clock()))

    async def _begin_again(self, consumer: AIOKafkaConsumer, error: OffsetOutOfRangeError) -> None:
        lost = [tp for tp in self._partitions.values() if tp in error.args[0]]
        for tp, begin in (await consumer.beginning_offsets(lost)).items():
            logger.warning(
                "%s does not hold the offset where reading stopped: it was truncated or recreated", tp.topic
            )
            consumer.seek(tp, begin)

    async def _reread_if_needed(self, consumer: AIOKafkaConsumer) -> None:
        now = self._clock()
        if self._core.state is State.READY:
            self.recovery.ready(now.monotonic)
        if self._core.lacks_beginning:
            await self._look_for_snapshot(consumer, now.monotonic)
        step = self.recovery.due(self._core.cure(now), now.monotonic)
        if step not in (Step.FROM_N, Step.FROM_BEGINNING):
            return
        begins = await consumer.beginning_offsets(list(self._partitions.values()))
        log, keys = self._partitions[Topic.LOG], self._partitions[Topic.KEYS]
        start = begins[log]
        if step is Step.FROM_N and self._core.applied_offset is not None:
            if begins[log] > self._core.applied_offset + 1:
                self.recovery.truncated()
                return
            start = self._core.applied_offset + 1
        logger.info("reading the log again from offset %d", start)
        self.recovery.begun()
        self._core.reread(now)
        self._marks.clear()
        consumer.seek(log, start)
        consumer.seek(keys, begins[keys])

    async def _look_for_snapshot(self, consumer: AIOKafkaConsumer, now: float) -> None:
        """The log begins too late, and there was no snapshot: one may have come since."""
        if now < self._next_snapshot:
            return
        self._next_snapshot = now + self._snapshot_backoff.next()
        extent = await self._extent(consumer)
        if await self.beginning.take_snapshot(extent, needed=True):
            consumer.seek(self._partitions[Topic.LOG], self.beginning.next_offset(extent))

    def _check_link(self, connected_at: float) -> None:
        now = self._clock()
        age = self._core.freshness.link_age(now)
        limit = self._core.freshness.limits.link_age / 2
        if age is not None and min(age, now.monotonic - connected_at) > limit:
            raise _LinkLost(f"no answer for {age:.0f} s")


def _end_if_cancelled() -> None:
    # A cancellation that comes in the moment of an answer gets lost in `asyncio.wait_for` (Python 3.11), with which aiokafka
    # waits. Without this one stop in a hundred would wait for ever.
    if (task := asyncio.current_task()) is not None and task.cancelling():
        raise asyncio.CancelledError
