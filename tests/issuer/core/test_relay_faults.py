"""The relay when something is wrong: killed, cut off, restored from a backup, or handed a topic with other content."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.records_to_delete import RecordsToDelete
from sqlalchemy import delete

from revocast.dev.broker import Broker
from revocast.issuer.relay import Relay
from revocast.issuer.storage.publishing import stored_compacts
from revocast.issuer.storage.signing_keys import event_key
from revocast.issuer.storage.tables import LogRecord
from revocast.schemas.audit import AuditType
from revocast.schemas.jose import PrivateKey
from revocast.schemas.record import Position
from revocast.schemas.settings import KafkaSettings
from revocast.schemas.topics import Topics
from revocast.schemas.verdict import Outcome
from tests.issuer.core.authority import ISSUER, Authority, T
from tests.issuer.core.backup import Backup
from tests.issuer.core.issuer_process import issuer_process
from tests.issuer.core.reader import Reader, first_record, read, read_audit, until, write


@pytest.fixture
def database() -> None:
    """These are about Kafka: SQLite is enough, except where a test says otherwise."""


@pytest.fixture
def settings(kafka: str, topics: Topics) -> KafkaSettings:
    """The test's own topics."""
    return KafkaSettings(kafka=kafka, prefix=topics.prefix)


Start = Callable[[Authority], Awaitable[Relay]]


@pytest.fixture
async def start(settings: KafkaSettings) -> AsyncIterator[Start]:
    """Starts relays and stops them at the end."""
    started: list[Relay] = []

    async def start(authority: Authority) -> Relay:
        started.append(authority.relay(settings))
        await started[-1].start()
        return started[-1]

    yield start
    for relay in started:
        await relay.stop()


async def reader_of(authority: Authority, settings: KafkaSettings) -> Reader:
    return await Reader.of(settings.kafka, settings.topics, ISSUER, authority.terms.root, authority.clock())


async def publish(authority: Authority, count: int) -> None:
    receipts = [authority.block_one_more() for _ in range(count)]
    assert await authority.service.published(receipts[-1], 30) == "published"


async def recreate(settings: KafkaSettings, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        await admin.delete_topics([topic])
        async with asyncio.timeout(30):
            while True:
                answer = await admin.create_topics([NewTopic(topic, 1, replication_factor=1)])
                if not any(code for _, code, *_ in answer.topic_errors):
                    return
    finally:
        await admin.close()


async def test_a_log_that_is_ahead_of_a_restored_database_stops_publishing_loudly(
    authority: Authority,
    start: Start,
    settings: KafkaSettings,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    backup = Backup(authority.url, tmp_path)
    relay = await start(authority)
    await publish(authority, 3)
    await relay.stop()
    authority.close()
    backup.restore()
    await start(authority)
    await until(lambda: authority.publication.relay.state == "refusing", "it refuses")
    assert "ahead of the database" in (authority.publication.relay.problem or "")
    assert "ahead of the database" in authority.service.status().warnings[0]
    assert any(record.levelname == "CRITICAL" for record in caplog.records)
    before = len(await read(settings.kafka, settings.topics.revocations))
    receipt = authority.block("subject", "bob")
    assert await authority.service.published(receipt, 1) == "pending"
    await until(lambda: authority.service.status().audit_backlog == 0, "the refusal is audited")
    events = await read_audit(settings.kafka, settings.topics)
    assert AuditType.PUBLISHING_REFUSED in {event.type for event in events}
    assert len(await read(settings.kafka, settings.topics.revocations)) == before
    assert authority.publication.relay.state == "refusing"


async def test_a_restored_database_that_wrote_another_record_n_stops_publishing(
    authority: Authority, start: Start, settings: KafkaSettings, tmp_path: Path
) -> None:
    backup = Backup(authority.url, tmp_path)
    relay = await start(authority)
    await publish(authority, 1)
    await relay.stop()
    authority.close()
    backup.restore()
    authority.block("subject", "another-2")
    await start(authority)
    await until(lambda: authority.publication.relay.state == "refusing", "it refuses")
    assert "differ" in (authority.publication.relay.problem or "")
    assert set((await reader_of(authority, settings)).outcomes) == {Outcome.APPLIED}


async def test_a_keys_topic_that_is_ahead_of_the_database_stops_publishing(
    authority: Authority, start: Start, settings: KafkaSettings, tmp_path: Path
) -> None:
    backup = Backup(authority.url, tmp_path)
    relay = await start(authority)
    authority.clock.now += 1
    authority.service.rotate_key(actor="alice")
    await until(lambda: authority.service.keys()[0].announced_at is not None, "the key set is published")
    await relay.stop()
    authority.close()
    backup.restore()
    await start(authority)
    await until(lambda: authority.publication.relay.state == "refusing", "it refuses")
    assert "keys topic is ahead" in (authority.publication.relay.problem or "")


async def test_another_writer_with_the_event_key_is_noticed_before_the_next_record(
    authority: Authority, start: Start, settings: KafkaSettings
) -> None:
    await start(authority)
    await publish(authority, 1)
    head = authority.service.log(1, 1)[0]
    event = _event_key(authority)
    forged = Position(1, 2, head.hash, head.t).next_record((), T, delegations=1, key_set=1)
    await write(settings.kafka, settings.topics.revocations, (forged.key, forged.signed(ISSUER, event)))
    receipt = authority.block("subject", "bob")
    assert await authority.service.published(receipt, 1) == "pending"
    await until(lambda: authority.publication.relay.state == "refusing", "it refuses")


def _event_key(authority: Authority) -> PrivateKey:
    with authority.storage.read() as session:
        key = event_key(session)
        signer = authority.keystore.signer(key.kid, key.handle)
    assert isinstance(signer, PrivateKey)
    return signer


async def test_junk_forgeries_and_replays_neither_stop_nor_fool_it(
    authority: Authority, start: Start, settings: KafkaSettings
) -> None:
    relay = await start(authority)
    await publish(authority, 3)
    topic = settings.topics.revocations
    old = (await read(settings.kafka, topic))[1]
    stranger = PrivateKey.generate()
    ahead = Position(1, 90, bytes(32), T).next_record((), T, delegations=1, key_set=1)
    junk = [
        (b"5", None),
        (b"5", b"not a token"),
        (b"9" * 1000, b"\xff" * 1000),
        (b"-1", b""),
        (b"91", ahead.signed(ISSUER, stranger)),
        (old.key, old.value),
        (b"5", old.value),
        (b"5", (await read(settings.kafka, settings.topics.keys))[-1].value),  # a key set has no place here
    ]
    await write(settings.kafka, topic, *junk)
    await publish(authority, 2)
    await relay.stop()
    await write(settings.kafka, topic, *junk)
    await start(authority)
    await publish(authority, 2)
    seen = await reader_of(authority, settings)
    assert seen.n == 8 and seen.chain.flaws == ()
    assert seen.table.pack() == authority.service.status().table
    assert seen.outcomes.count(Outcome.APPLIED) == 8 and Outcome.FORK not in seen.outcomes


async def test_offsets_without_a_record_do_not_hold_it_up(
    authority: Authority, start: Start, settings: KafkaSettings
) -> None:
    """A transaction's end takes an offset and gives no record; anyone who can write can put it at the log's end."""
    relay = await start(authority)
    await publish(authority, 2)
    stranger = AIOKafkaProducer(
        bootstrap_servers=settings.kafka, transactional_id=f"{settings.prefix}-stranger"
    )
    await stranger.start()
    for end in (stranger.commit_transaction, stranger.abort_transaction):
        await stranger.begin_transaction()
        await stranger.send_and_wait(settings.topics.revocations, b"junk", partition=0)
        await stranger.send_and_wait(settings.topics.keys, b"junk", partition=0)
        await end()
        await publish(authority, 2)
    await stranger.begin_transaction()
    await stranger.send_and_wait(settings.topics.revocations, b"junk", partition=0)
    await stranger.commit_transaction()
    await stranger.stop()
    await relay.stop()
    await start(authority)
    await publish(authority, 1)
    assert authority.publication.relay.problem is None


async def test_a_log_that_lost_everything_is_continued_with_the_same_bytes(
    authority: Authority, start: Start, settings: KafkaSettings
) -> None:
    relay = await start(authority)
    await publish(authority, 4)
    before = [record.value for record in await read(settings.kafka, settings.topics.revocations)]
    await relay.stop()
    await recreate(settings, settings.topics.revocations)
    await recreate(settings, settings.topics.keys)
    await start(authority)
    await publish(authority, 1)
    after = [record.value for record in await read(settings.kafka, settings.topics.revocations)]
    assert after[:-1] == before and len(before) == 5
    seen = await reader_of(authority, settings)
    assert seen.chain.flaws == () and seen.table.pack() == authority.service.status().table


async def truncate(settings: KafkaSettings, before_offset: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        partition = TopicPartition(settings.topics.revocations, 0)
        await admin.delete_records({partition: RecordsToDelete(before_offset=before_offset)})
    finally:
        await admin.close()


async def test_a_log_truncated_at_its_head_is_noticed_while_the_relay_runs_and_published_again(
    authority: Authority, start: Start, settings: KafkaSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """S07. A reader that starts now finds records 4 to 6 first, holds them, and has the whole chain from the copies."""
    relay = await start(authority)
    await publish(authority, 5)
    await until(lambda: authority.service.status().published_n == 6, "the relay has read back what it wrote")
    whole = [record.value for record in await read(settings.kafka, settings.topics.revocations)]
    await truncate(settings, 3)

    async def begins() -> int:
        return len(await read(settings.kafka, settings.topics.revocations))

    async with asyncio.timeout(30):
        while await begins() < 3 + 6:
            pass
    after = [record.value for record in await read(settings.kafka, settings.topics.revocations)]
    assert after == whole[3:] + whole
    assert any("lost records 1 to 6" in record.getMessage() for record in caplog.records)
    await publish(authority, 1)
    seen = await reader_of(authority, settings)
    assert seen.chain.flaws == () and seen.table.pack() == authority.service.status().table
    await until(lambda: authority.service.status().audit_backlog == 0, "it is audited")
    assert AuditType.LOG_REPUBLISHED in {
        event.type for event in await read_audit(settings.kafka, settings.topics)
    }

    await relay.stop()
    count = await begins()
    await start(authority)
    await publish(authority, 1)
    assert await begins() == count + 1, "the next relay knows that the log is whole again"


async def test_a_log_truncated_while_no_relay_runs_is_published_again(
    authority: Authority, start: Start, settings: KafkaSettings
) -> None:
    relay = await start(authority)
    await publish(authority, 5)
    await relay.stop()
    await truncate(settings, 3)
    await start(authority)
    await publish(authority, 1)
    seen = await reader_of(authority, settings)
    assert seen.n == 7 and seen.chain.flaws == ()


async def test_what_neither_kafka_nor_the_database_has_asks_for_a_new_epoch(
    authority: Authority, start: Start, settings: KafkaSettings
) -> None:
    relay = await start(authority)
    await publish(authority, 5)
    await relay.stop()
    await truncate(settings, 3)
    with authority.storage.write() as session:
        session.execute(delete(LogRecord).where(LogRecord.n < 3))
    before = await read(settings.kafka, settings.topics.revocations)
    await start(authority)
    await until(lambda: authority.publication.relay.state == "refusing", "it refuses")
    assert "revocast trust new-epoch" in (authority.publication.relay.problem or "")
    assert await read(settings.kafka, settings.topics.revocations) == before


async def test_a_relay_killed_in_mid_batch_leaves_a_log_that_the_next_one_completes(
    authority: Authority, start: Start, settings: KafkaSettings
) -> None:
    for _ in range(600):
        authority.block_one_more()
    process = await issuer_process(authority.home.folder, settings, "--relay")
    topic = settings.topics.revocations
    await first_record(settings.kafka, topic)
    process.kill()
    await process.wait()
    assert len(await read(settings.kafka, topic)) < 601, "it was killed before it was done"
    await start(authority)
    await publish(authority, 1)
    seen = await reader_of(authority, settings)
    assert seen.chain.flaws == () and seen.n == 602
    assert seen.table.pack() == authority.service.status().table
    with authority.storage.read() as session:
        stored = stored_compacts(session, 1, range(1, 603))
    for record in await read(settings.kafka, topic):
        assert record.value == stored[int(record.key)].compact


async def test_an_issuer_killed_between_commit_and_publish_loses_nothing(
    authority: Authority, start: Start, settings: KafkaSettings
) -> None:
    away = KafkaSettings(kafka="127.0.0.1:9", prefix=settings.prefix)
    process = await issuer_process(authority.home.folder, away, "--relay", "--revoke", "1")
    assert process.stdout is not None
    assert (await process.stdout.readline()).strip() == b"started"
    assert (await process.stdout.readline()).strip() == b"pending 2"
    process.kill()
    await process.wait()
    await start(authority)
    await until(lambda: authority.service.status().published_n == 2, "the next process publishes it")
    seen = await reader_of(authority, settings)
    assert seen.n == 2 and seen.table.pack() == authority.service.status().table
    assert len(seen.table) == 1


async def test_while_kafka_is_away_answers_are_pending_and_afterwards_all_is_published(
    authority: Authority, broker: Broker
) -> None:
    settings = KafkaSettings(kafka=broker.bootstrap, prefix="away")
    for spec in settings.topics.specs(replicas=1):
        await recreate(settings, spec.name)
    relay = authority.relay(settings)
    await relay.start()
    try:
        await publish(authority, 1)
        broker.kill()
        receipts = [authority.block_one_more() for _ in range(5)]
        assert await authority.service.published(receipts[-1], 1) == "pending"
        broker.start()
        assert await authority.service.published(receipts[-1], 60) == "published"
        seen = await reader_of(authority, settings)
        assert seen.chain.flaws == () and seen.n == receipts[-1].n
        assert seen.table.pack() == authority.service.status().table
    finally:
        await relay.stop()
