"""Reading a partition to its end, whatever stands there."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from revocast.issuer.relay.reading import Consumers, PartitionReader
from revocast.schemas.topics import Topics


@pytest.fixture
async def reader(kafka: str, topics: Topics) -> AsyncIterator[PartitionReader]:
    consumers = Consumers(
        AIOKafkaConsumer(bootstrap_servers=kafka, group_id=None),
        AIOKafkaConsumer(bootstrap_servers=kafka, group_id=None),
    )
    await consumers.reading.start()
    await consumers.asking.start()
    consumers.reading.assign([TopicPartition(topics.revocations, 0)])
    yield PartitionReader(consumers, topics.revocations)
    await consumers.reading.stop()
    await consumers.asking.stop()


async def test_a_transactions_marker_at_the_end_does_not_stall_the_reader(
    kafka: str, topics: Topics, reader: PartitionReader
) -> None:
    stranger = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=topics.prefix)
    await stranger.start()
    await stranger.begin_transaction()
    await stranger.send_and_wait(topics.revocations, b"junk", partition=0)
    reader.seek(0)
    assert [record.value for record in await reader.read()] == [b"junk"]
    await stranger.commit_transaction()
    await stranger.stop()
    async with asyncio.timeout(5):
        assert await reader.read() == []
    assert reader.next_offset == await reader.end() == 2
