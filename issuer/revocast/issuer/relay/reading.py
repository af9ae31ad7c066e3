"""Reading one partition to its end, as the relay does before it trusts what it is about to write behind."""

from dataclasses import dataclass
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaTimeoutError

from revocast.schemas.settings import KafkaSettings

__all__ = ["REQUEST_MS", "Consumers", "PartitionReader"]

REQUEST_MS: Final = 10_000
"""How long a broker may take for an answer."""
_FETCH_MS: Final = 500
_STALLED_FETCHES: Final = 20
_BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class Consumers:
    """Two connections: a broker answers one request of a connection at a time, so an offset that is asked for on the
    reading one would wait for the long poll before it, half a second. `asking` has no partition assigned."""

    reading: AIOKafkaConsumer
    asking: AIOKafkaConsumer

    @classmethod
    def of(cls, kafka: KafkaSettings) -> Self:
        """Not started yet. They are of no group: nothing is read but where a `PartitionReader` seeks to."""
        options: dict[str, Any] = {**kafka.client_options(), "request_timeout_ms": REQUEST_MS}
        options |= {"enable_auto_commit": False, "auto_offset_reset": "earliest", "group_id": None}
        return cls(AIOKafkaConsumer(**options), AIOKafkaConsumer(**options))

    def assign(self, *topics: str) -> None:
        """These are read from now on, and no others."""
        self.reading.assign([TopicPartition(topic, 0) for topic in topics])


class PartitionReader:
    """A place in partition 0 of one topic, which `consumers.reading` has assigned beside others."""

    def __init__(self, consumers: Consumers, topic: str) -> None:
        self._consumer = consumers.reading
        self._asking = consumers.asking
        self._partition = TopicPartition(topic, 0)
        self.next_offset = 0

    async def bounds(self) -> tuple[int, int]:
        """The first offset that exists and the one after the last, asked now."""
        first = await self._asking.beginning_offsets([self._partition])
        return int(first[self._partition]), await self.end()

    async def end(self) -> int:
        """The offset after the last record, asked now."""
        last = await self._asking.end_offsets([self._partition])
        return int(last[self._partition])

    def seek(self, offset: int) -> None:
        """Continue at `offset`."""
        self._consumer.seek(self._partition, offset)
        self.next_offset = offset

    async def read(self) -> list[ConsumerRecord[Any, Any]]:
        """Some of the next records, in order; none where a transaction's marker stood (anyone may write one).

        Raises `KafkaTimeoutError` when the broker gives nothing for ten seconds.
        """
        for _ in range(_STALLED_FETCHES):
            found = await self._consumer.getmany(self._partition, timeout_ms=_FETCH_MS, max_records=_BATCH)
            before, self.next_offset = self.next_offset, await self._consumer.position(self._partition)
            if self.next_offset != before:
                return list(found.get(self._partition, ()))
        raise KafkaTimeoutError("the broker names an end offset and gives no record before it")
