"""What a reader of the real topics sees: everything, from the first offset to an end asked now."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from revocast.schemas.audit import AuditEvent
from revocast.schemas.chain import Chain
from revocast.schemas.table import Table
from revocast.schemas.topics import Topics
from revocast.schemas.trust import Trust
from revocast.schemas.verdict import Outcome


class Reader:
    """The chain and the table after reading keys, log and checkpoints once; `outcomes` of the log's records in order."""

    def __init__(self, issuer: str, root: str) -> None:
        self.trust = Trust(issuer, root)
        self.chain = Chain(self.trust)
        self.table = Table()
        self.outcomes: list[Outcome] = []

    @classmethod
    async def of(cls, kafka: str, topics: Topics, issuer: str, root: str, now: float) -> "Reader":
        reader = cls(issuer, root)
        for record in await read(kafka, topics.keys):
            reader.trust.receive(record.value, record.offset)
        for record in await read(kafka, topics.revocations):
            for verdict in reader.chain.receive(record.value, 0, record.offset):
                reader.outcomes.append(verdict.outcome)
                if verdict.record is not None:
                    reader.table.apply(verdict.record.rows, verdict.record.t)
        for record in await read(kafka, topics.checkpoints):
            reader.chain.receive_checkpoint(record.value, now, record.offset)
        return reader

    @property
    def n(self) -> int:
        return self.chain.position.n if self.chain.position else 0


async def read(kafka: str, topic: str) -> list[ConsumerRecord[Any, Any]]:
    """Every record of a topic, partition by partition."""
    async with AsyncExitStack() as stack:
        consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
        await consumer.start()
        stack.push_async_callback(consumer.stop)
        partitions = await consumer._client._wait_on_metadata(topic)
        assigned = [TopicPartition(topic, partition) for partition in sorted(partitions)]
        consumer.assign(assigned)
        ends = await consumer.end_offsets(assigned)
        records: list[ConsumerRecord[Any, Any]] = []
        for partition in assigned:
            while await consumer.position(partition) < ends[partition]:
                found = await consumer.getmany(partition, timeout_ms=500)
                records += found.get(partition, [])
        return sorted(records, key=lambda record: (record.partition, record.offset))


async def first_record(kafka: str, topic: str, timeout_s: float = 60) -> None:
    """Return as soon as the topic has a record."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(timeout_s):
            await consumer.getone()
    finally:
        await consumer.stop()


async def read_audit(kafka: str, topics: Topics) -> list[AuditEvent]:
    """Every audit event, in the order of partitions and offsets."""
    return [AuditEvent.model_validate_json(record.value or b"") for record in await read(kafka, topics.audit)]


async def write(kafka: str, topic: str, *values: tuple[bytes | None, bytes | None]) -> None:
    """What anyone who can reach the broker may do: write (key, value) records."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        for key, value in values:
            await producer.send_and_wait(topic, value, key=key, partition=0)
    finally:
        await producer.stop()


async def until(true: Callable[[], bool], what: str, timeout_s: float = 30) -> None:
    """Wait for a condition; fail with its name."""
    try:
        async with asyncio.timeout(timeout_s):
            while not true():  # noqa: ASYNC110 - it is whatever a test looks at, and nothing signals it
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"after {timeout_s} s still not: {what}") from None
