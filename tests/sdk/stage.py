"""An in-memory authority whose words go to a real Kafka."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer

from revocast.schemas.topics import Topics
from revocast.testing import Authority, InMemoryLog, Message


class Stage:
    """`publish` sends whatever the authority has appended since the last call and not dropped, acknowledged."""

    def __init__(self, authority: Authority, topics: Topics, producer: AIOKafkaProducer) -> None:
        self.authority = authority
        self._producer = producer
        self._sent: dict[str, int] = {}
        self._logs: dict[str, InMemoryLog] = {
            topics.keys: authority.keys,
            topics.revocations: authority.log,
            topics.checkpoints: authority.checkpoints,
            topics.snapshots: authority.snapshots,
        }

    async def publish(self) -> None:
        """Send what is new."""
        for topic, log in self._logs.items():
            for message in log.since(self._sent.get(topic, 0)):
                self._sent[topic] = message.offset + 1
                await self.send(topic, message)

    async def send(self, topic: str, message: Message) -> None:
        """Send one record: a lost one that comes late, an old one again, a stranger's."""
        await self._producer.send_and_wait(topic, message.value, key=message.key, partition=0)


@asynccontextmanager
async def stage(authority: Authority, topics: Topics, kafka: str) -> AsyncIterator[Stage]:
    """A connected stage on which everything up to now has been published."""
    async with AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True) as producer:
        staged = Stage(authority, topics, producer)
        await staged.publish()
        yield staged


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for a condition, for so long at most."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.005)


async def until_done(attempt: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    """Try until it succeeds, for so long at most."""
    deadline = time.monotonic() + seconds
    while not await attempt():
        assert time.monotonic() < deadline, "it did not succeed in time"
