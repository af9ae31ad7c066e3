"""What every worker reads whole and for itself: `revocast.keys` and `revocast.checkpoints`.

* A consumer group would give their one partition to one worker; but each worker needs the keys to judge, and the newest
  checkpoint to know whether it is current. So this reader is in no group and starts at the beginning.
* What names a key that is unknown is judged for good after keys were read to an end offset asked since: one question for
  all that a fetch brought, whatever junk is in it.
* It remembers which offsets were rejected, for the one worker that reports them (`rejection`).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from time import monotonic
from typing import TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from revocast.schemas.chain import Chain
from revocast.schemas.checkpoint import Checkpoint
from revocast.schemas.delegating import expiry_warning
from revocast.schemas.topics import Topics
from revocast.schemas.trust import Trust
from revocast.schemas.verdict import Outcome, Verdict
from revocast.streams.frames import Mark

__all__ = ["ControlReader"]

log = logging.getLogger(__name__)
_POLL_MS = 200
_ASK_END_SECONDS = 1.0
_RETRY_SECONDS = 0.5
_REMEMBERED = 100_000

Clock = Callable[[], float]
T = TypeVar("T")


class ControlReader:
    """Keeps `trust` and the newest checkpoint current. `clock` is the wall clock in seconds."""

    def __init__(self, consumer: AIOKafkaConsumer, topics: Topics, trust: Trust, clock: Clock) -> None:
        self.trust = trust
        self.outcomes: Counter[tuple[str, str]] = Counter()
        """How many records by (topic, outcome)."""
        self._chain = Chain(trust)
        self._consumer = consumer
        self._keys = TopicPartition(topics.keys, 0)
        self._checkpoints = TopicPartition(topics.checkpoints, 0)
        self._clock = clock
        self._asked_at = float("-inf")
        self._current_at: float | None = None
        self._said: str | None = None
        self._held: dict[TopicPartition, set[int]] = {self._keys: set(), self._checkpoints: set()}
        self._reasons: dict[TopicPartition, dict[int, str]] = {self._keys: {}, self._checkpoints: {}}
        self._next: dict[TopicPartition, int] = {self._keys: 0, self._checkpoints: 0}
        self._progress = asyncio.Condition()

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The newest believed."""
        return self._chain.checkpoint

    @property
    def expiry(self) -> str | None:
        """What is to be said about the expiry of the delegation list; None: nothing yet."""
        listed = self.trust.delegations
        return expiry_warning(listed.expires_at, self._clock()) if listed else None

    @property
    def expired(self) -> bool:
        """Whether the list has expired: then nobody knows which keys are still delegated."""
        listed = self.trust.delegations
        return listed is not None and listed.expires_at <= self._clock()

    @property
    def link_age(self) -> float | None:
        """Seconds since both topics were read to an end offset that the broker answered; None: not yet."""
        return None if self._current_at is None else monotonic() - self._current_at

    def is_ahead_of(self, mark: Mark | None) -> bool:
        """Whether the newest checkpoint vouches for records after this place."""
        checkpoint = self.checkpoint
        if checkpoint is None:
            return False
        return mark is None or (mark.epoch, mark.n) < (checkpoint.epoch, checkpoint.n)

    async def run(self) -> None:
        """Read until cancelled. A broker that is away is waited for; `link_age` then grows."""
        self._consumer.assign([self._keys, self._checkpoints])
        await self._retried(lambda: self._consumer.seek_to_beginning(self._keys, self._checkpoints))
        await self._retried(self._read_keys)
        while True:
            await self._retried(self._turn)
            if self.expiry != self._said:
                self._said = self.expiry
                log.warning("%s", self._said or "the delegation list has been renewed")

    async def keys_read(self) -> None:
        """Return when this reader has judged `revocast.keys` up to an end offset asked now."""
        await self._read_to_end(self._keys)

    async def all_read(self) -> None:
        """Return when it has judged both topics up to end offsets asked now."""
        await self._read_to_end(self._keys, self._checkpoints)

    async def _read_to_end(self, *partitions: TopicPartition) -> None:
        ends = await self._retried(lambda: self._consumer.end_offsets(partitions))
        async with self._progress:
            await self._progress.wait_for(
                lambda: all(self._judged(each) >= ends[each] for each in partitions)
            )

    async def rejection(self, topic: str, offset: int) -> str | None:
        """Why the record was rejected, once it is judged; None: it was not."""
        partition = TopicPartition(topic, 0)
        async with self._progress:
            await self._progress.wait_for(lambda: self._judged(partition) > offset)
        return self._reasons[partition].get(offset)

    async def _turn(self) -> None:
        await self._poll(self._keys, self._checkpoints)
        now = monotonic()
        if now - self._asked_at < _ASK_END_SECONDS:
            return
        ends = await self._consumer.end_offsets([self._keys, self._checkpoints])
        self._asked_at = now
        if all([await self._consumer.position(partition) >= end for partition, end in ends.items()]):
            self._current_at = now

    async def _read_keys(self) -> None:
        held = self._chain.checkpoints_held
        end = await self._end_of_keys()
        while await self._consumer.position(self._keys) < end:
            await self._poll(self._keys)
        await self._note(self.trust.settle(), self._keys)
        await self._note(self._chain.settle_checkpoints(self._clock(), held), self._checkpoints)

    async def _end_of_keys(self) -> int:
        ends = await self._consumer.end_offsets([self._keys])
        return int(ends[self._keys])

    async def _poll(self, *partitions: TopicPartition) -> None:
        batches = await self._consumer.getmany(*partitions, timeout_ms=_POLL_MS)
        # Keys first: what a checkpoint of the same fetch was signed with is then known.
        for partition in partitions:
            for record in batches.get(partition, ()):
                await self._judge(record, partition)
        if self._checkpoints in partitions and (self.trust.waiting or self._chain.checkpoints_held):
            await self._read_keys()

    async def _judge(self, record: ConsumerRecord, partition: TopicPartition) -> None:
        if partition == self._keys:
            verdicts = self.trust.receive(record.value, record.offset)
        else:
            verdicts = [self._chain.receive_checkpoint(record.value, self._clock(), record.offset)]
        self._next[partition] = record.offset + 1
        await self._note(verdicts, partition)

    async def _note(self, verdicts: Iterable[Verdict], partition: TopicPartition) -> None:
        reasons, held = self._reasons[partition], self._held[partition]
        async with self._progress:
            for verdict in verdicts:
                self.outcomes[partition.topic, verdict.outcome] += 1
                if verdict.outcome is Outcome.HELD:
                    held.add(verdict.offset)
                    continue
                held.discard(verdict.offset)
                if verdict.outcome is Outcome.REJECTED:
                    reasons[verdict.offset] = verdict.reason
                    if len(reasons) > _REMEMBERED:
                        del reasons[next(iter(reasons))]
            self._progress.notify_all()

    def _judged(self, partition: TopicPartition) -> int:
        held = self._held[partition]
        return min(self._next[partition], *held) if held else self._next[partition]

    async def _retried(self, call: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await call()
            except KafkaError as error:
                log.warning("control topics cannot be read, trying again: %r", error)
                await asyncio.sleep(_RETRY_SECONDS)
