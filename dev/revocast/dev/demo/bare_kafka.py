"""What Kafka alone takes on this machine: the floor under every figure of the demo."""

import asyncio
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

__all__ = ["round_trips"]


def round_trips(kafka: str, topic: str, count: int) -> list[tuple[float, float]]:
    """`count` times: seconds until a record arrived at a consumer, after it was sent and after it was acknowledged."""
    return asyncio.run(_round_trips(kafka, topic, count))


async def _round_trips(kafka: str, topic: str, count: int) -> list[tuple[float, float]]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1)])
        return await _measure(kafka, topic, count)
    finally:
        await admin.delete_topics([topic])
        await admin.close()


async def _measure(kafka: str, topic: str, count: int) -> list[tuple[float, float]]:
    arrived: asyncio.Queue[float] = asyncio.Queue()

    async def consume(consumer: AIOKafkaConsumer) -> None:
        async for _ in consumer:
            arrived.put_nowait(time.monotonic())

    async with (
        AIOKafkaConsumer(topic, bootstrap_servers=kafka, auto_offset_reset="earliest") as consumer,
        AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True) as producer,
    ):
        reading = asyncio.create_task(consume(consumer))
        found = []
        for _ in range(count + 1):
            sent = time.monotonic()
            await producer.send_and_wait(topic, b"x" * 600)
            acknowledged = time.monotonic()
            moment = await arrived.get()
            found.append((moment - sent, moment - acknowledged))
        reading.cancel()
    return found[1:]  # the first one waits for the consumer's first fetch
