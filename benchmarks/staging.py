"""An in-memory authority's words, on a real Kafka."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer

from revocast.schemas.topics import Topics
from revocast.testing import Authority, InMemoryLog

__all__ = ["producing", "publish", "sends"]

_AT_ONCE = 500


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


def sends(authority: Authority, topics: Topics) -> dict[str, InMemoryLog]:
    """Which of its logs goes to which topic."""
    return {
        topics.keys: authority.keys,
        topics.revocations: authority.log,
        topics.checkpoints: authority.checkpoints,
        topics.snapshots: authority.snapshots,
    }
