"""An in-memory authority's words, on a real Kafka."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete

from revocast.schemas.topics import Topics
from revocast.testing import Authority, InMemoryLog

__all__ = ["create_topic", "create_topics", "producing", "publish", "sends", "truncate"]

_AT_ONCE = 500


async def create_topics(topics: Topics, kafka: str, nodes: int = 1) -> None:
    """A deployment's topics, as `revocast topics ensure` makes them on a cluster of so many nodes."""
    await _create(kafka, [(each.name, each.partitions, each.config) for each in topics.specs(nodes)], nodes)


async def create_topic(
    name: str, kafka: str, config: Mapping[str, str] | None = None, nodes: int = 1
) -> None:
    """One topic of one partition."""
    await _create(kafka, [(name, 1, config or {})], nodes)


async def _create(kafka: str, wanted: list[tuple[str, int, Mapping[str, str]]], nodes: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        new = [
            NewTopic(name, partitions, nodes, topic_configs=dict(config))
            for name, partitions, config in wanted
        ]
        answer = await admin.create_topics(new)
        assert not any(code for _, code, *_ in answer.topic_errors), answer
    finally:
        await admin.close()


@asynccontextmanager
async def producing(kafka: str) -> AsyncIterator[AIOKafkaProducer]:
    """As the issuer's relay produces: acknowledged by all, idempotent, at once."""
    async with AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True) as producer:
        yield producer


async def publish(authority: Authority, topics: Topics, producer: AIOKafkaProducer) -> None:
    """Send all that the authority has said, in its order."""
    for topic, log in sends(authority, topics).items():
        waiting: list[Any] = []
        for message in log:
            waiting.append(await producer.send(topic, message.value, key=message.key, partition=0))
            if len(waiting) >= _AT_ONCE:
                await asyncio.gather(*waiting)
                waiting.clear()
        await asyncio.gather(*waiting)


async def truncate(topic: str, kafka: str, offset: int) -> None:
    """Delete what is before `offset`, as the issuer does behind a snapshot."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=offset)})
    finally:
        await admin.close()


def sends(authority: Authority, topics: Topics) -> dict[str, InMemoryLog]:
    """Which of its logs goes to which topic."""
    return {
        topics.keys: authority.keys,
        topics.revocations: authority.log,
        topics.checkpoints: authority.checkpoints,
        topics.snapshots: authority.snapshots,
    }
