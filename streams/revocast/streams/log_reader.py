"""Reads ranges of a topic beside the consumer group: the log again, and where the frames stand."""

from collections.abc import AsyncIterator
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from revocast.streams.frames import BasePiece, Mark, decode

__all__ = ["end_offset", "newest_marks", "read_range", "start_offset"]


def _consumer(options: dict[str, Any]) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(**options, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest")


async def end_offset(options: dict[str, Any], topic: str) -> int:
    """The end of partition 0, asked now."""
    partition = TopicPartition(topic, 0)
    async with _consumer(options) as consumer:
        return int((await consumer.end_offsets([partition]))[partition])


async def start_offset(options: dict[str, Any], topic: str) -> int:
    """The first offset of partition 0 that still exists, or could come."""
    partition = TopicPartition(topic, 0)
    async with _consumer(options) as consumer:
        return int((await consumer.beginning_offsets([partition]))[partition])


async def read_range(
    options: dict[str, Any], topic: str, start: int, end: int
) -> AsyncIterator[ConsumerRecord]:
    """The records of partition 0 with start <= offset < end that still exist."""
    if start >= end:
        return  # aiokafka 0.14 raises CancelledError from a consumer that is closed before it did anything.
    partition = TopicPartition(topic, 0)
    async with _consumer(options) as consumer:
        consumer.assign([partition])
        consumer.seek(partition, start)
        while await consumer.position(partition) < end:
            batches = await consumer.getmany(partition, timeout_ms=200)
            for record in batches.get(partition, ()):
                if record.offset < end:
                    yield record


async def newest_marks(options: dict[str, Any], topic: str, partitions: int) -> list[Mark | None]:
    """The place of the last frame in each partition of the frames topic; None also where a base is not complete."""
    marks: list[Mark | None] = [None] * partitions
    wanted = [TopicPartition(topic, partition) for partition in range(partitions)]
    async with _consumer(options) as consumer:
        ends = await consumer.end_offsets(wanted)
        wanted = [partition for partition in wanted if ends[partition]]
        if not wanted:
            return marks
        consumer.assign(wanted)
        for partition in wanted:
            consumer.seek(partition, ends[partition] - 1)
        while any([await consumer.position(partition) < ends[partition] for partition in wanted]):
            for partition, records in (await consumer.getmany(timeout_ms=200)).items():
                for record in records:
                    if record.offset < ends[partition] and record.value:
                        last = decode(record.value)[-1]
                        complete = not isinstance(last, BasePiece) or last.completes
                        marks[partition.partition] = last.mark if complete else None
    return marks
