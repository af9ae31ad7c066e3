"""Reading a partition to its end, whatever stands there."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from revocast.issuer.relay.reading import Consumers, PartitionReader
from revocast.issuer.relay.snapshot_topic import SnapshotTopic
from revocast.schemas.row import ROW_SIZE
from revocast.schemas.snapshot import chunk_key
from revocast.schemas.topics import Topics
from revocast.schemas.trust import Trust
from revocast.testing import Authority
from tests.issuer.core.reader import write


@pytest.fixture
async def consumers(kafka: str, topics: Topics) -> AsyncIterator[Consumers]:
    consumers = Consumers(
        AIOKafkaConsumer(bootstrap_servers=kafka, group_id=None),
        AIOKafkaConsumer(bootstrap_servers=kafka, group_id=None),
    )
    await consumers.reading.start()
    await consumers.asking.start()
    consumers.reading.assign([TopicPartition(topic, 0) for topic in (topics.revocations, topics.snapshots)])
    yield consumers
    await consumers.reading.stop()
    await consumers.asking.stop()


@pytest.fixture
def reader(consumers: Consumers, topics: Topics) -> PartitionReader:
    return PartitionReader(consumers, topics.revocations)


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


async def test_of_chunks_only_those_that_a_countersigned_manifest_names_are_remembered(
    kafka: str, topics: Topics, consumers: Consumers
) -> None:
    issuer = Authority()
    issuer.block(issuer.subject("alice"))
    issuer.snapshot()
    trust = Trust(issuer.issuer, issuer.pin)
    for message in issuer.keys:
        trust.receive(message.value, message.offset)
    flood = [number.to_bytes(ROW_SIZE) for number in range(500)]
    records = [(message.key, message.value) for message in issuer.snapshots]
    records += [(chunk_key(hashlib.sha256(rows).digest()), rows) for rows in flood]
    await write(kafka, topics.snapshots, *records)
    held = await SnapshotTopic(PartitionReader(consumers, topics.snapshots)).read_all(trust)
    (manifest,) = held.manifests.values()
    assert held.has_chunks_of(manifest)
    assert held.chunks.keys() == {chunk_key(chunk.sha256) for chunk in manifest.chunks}
