"""The relay on real Kafka: what is committed is published, once, in order, by one process."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from revocast.issuer.authority.lifecycle import KeyState
from revocast.issuer.authority.revocations import Revocation
from revocast.issuer.relay import Relay
from revocast.issuer.relay.publisher import Parts, Publisher
from revocast.issuer.relay.reading import Consumers
from revocast.schemas.audit import AuditType
from revocast.schemas.row import Slot
from revocast.schemas.selector import Selector
from revocast.schemas.settings import KafkaSettings
from revocast.schemas.topics import Topics
from revocast.schemas.verdict import Outcome
from tests.issuer.core.authority import ISSUER, Authority, T
from tests.issuer.core.issuer_process import issuer_process
from tests.issuer.core.reader import Reader, read, read_audit, until

Start = Callable[..., Awaitable[Relay]]


@pytest.fixture
def reader(authority: Authority, kafka: str, topics: Topics) -> Callable[[], Awaitable[Reader]]:
    """Reads everything, as a service that pinned the root does."""
    return lambda: Reader.of(kafka, topics, ISSUER, authority.terms.root, authority.clock())


async def test_a_published_revocation_is_in_every_readers_table(
    authority: Authority, start: Start, reader: Callable[[], Awaitable[Reader]]
) -> None:
    await start()
    for number in range(5):
        receipt = authority.block("subject", f"user-{number}")
        assert await authority.service.published(receipt, 20) == "published"
    seen = await reader()
    assert seen.chain.flaws == () and seen.n == 6
    assert seen.table.pack() == authority.service.status().table
    assert set(seen.outcomes) == {Outcome.APPLIED}


async def test_concurrent_writers_of_two_processes_are_published_by_the_one_that_leads(
    authority: Authority, start: Start, reader: Callable[[], Awaitable[Reader]]
) -> None:
    await start()
    other, _ = authority.other()

    async def revoke(number: int) -> str:
        service = (authority.service, other)[number % 2]
        revocation = Revocation(Selector.subject(ISSUER, f"user-{number}"), Slot.BLOCK)
        receipt = await asyncio.to_thread(service.revoke, [revocation], [], actor="bob", reason="")
        return await service.published(receipt, 30)

    assert set(await asyncio.gather(*(revoke(number) for number in range(60)))) == {"published"}
    seen = await reader()
    assert seen.n <= 61  # those that waited together share a record
    assert len(seen.table) == 60 and seen.table.pack() == authority.service.status().table


async def test_a_second_process_takes_over_when_the_first_stops(
    authority: Authority, start: Start, reader: Callable[[], Awaitable[Reader]]
) -> None:
    first = await start()
    await until(lambda: authority.publication.relay.state == "publishing", "the first publishes")
    other, publication = authority.other()
    await start(publication)
    await until(lambda: publication.relay.state == "standby", "the second stands by")
    assert await other.published(authority.block_one_more(), 20) == "published"
    await first.stop()
    await until(lambda: publication.relay.state == "publishing", "the second took over")
    assert await other.published(authority.block_one_more(), 20) == "published"
    seen = await reader()
    assert seen.chain.flaws == () and seen.n == 3


async def test_a_second_process_takes_over_when_the_first_is_killed(
    authority: Authority, start: Start, reader: Callable[[], Awaitable[Reader]], kafka: str, topics: Topics
) -> None:
    settings = KafkaSettings(kafka=kafka, prefix=topics.prefix)
    leader = await issuer_process(
        authority.home.folder, settings, "--relay", "--lead", database=authority.url
    )
    assert leader.stdout is not None
    assert await leader.stdout.readline() == b"started\n"
    await start()
    await until(lambda: authority.publication.relay.state == "standby", "this one stands by")
    assert await authority.service.published(authority.block_one_more(), 20) == "published"
    assert authority.publication.relay.state == "standby", "the other process published it"
    leader.kill()
    await leader.wait()
    receipt = authority.block_one_more()
    assert await authority.service.published(receipt, 30) == "published"
    seen = await reader()
    assert seen.chain.flaws == () and seen.n == receipt.n


async def test_a_relay_that_loses_its_seat_stands_again_and_checks_again(
    authority: Authority, start: Start
) -> None:
    await start()
    await until(lambda: authority.publication.relay.state == "publishing", "it publishes")
    if authority.storage.is_postgresql:
        url = authority.storage.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as connection:
            cut = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            assert cut.fetchall() == [(True,)]
    else:
        path = authority.storage.sqlite_file
        path.with_name(path.name + ".relay").unlink()
    assert await authority.service.published(authority.block_one_more(), 20) == "published"
    _, publication = authority.other()
    await start(publication)
    reports = (authority.publication, publication)
    await until(
        lambda: sorted(report.relay.state for report in reports) == ["publishing", "standby"],
        "one of two publishes",
    )


async def test_a_checkpoint_follows_and_proves_the_reader_current(
    authority: Authority, start: Start, reader: Callable[[], Awaitable[Reader]], kafka: str, topics: Topics
) -> None:
    await start()
    receipt = authority.block_one_more()
    await authority.service.published(receipt, 20)
    authority.clock.now += 5

    async def checkpointed() -> bool:
        seen = (await reader()).chain.checkpoint
        return seen is not None and (seen.n, seen.t) == (receipt.n, T + 5)

    async with asyncio.timeout(30):
        while not await checkpointed():
            pass
    seen = await reader()
    assert seen.chain.checkpoint is not None and seen.chain.position is not None
    assert seen.chain.checkpoint.hash == seen.chain.position.hash
    assert (seen.chain.checkpoint.delegations, seen.chain.checkpoint.key_set) == (1, 1)


async def test_a_record_never_precedes_the_key_set_that_it_names(
    authority: Authority, kafka: str, topics: Topics, reader: Callable[[], Awaitable[Reader]]
) -> None:
    """Both are committed at once, after the publisher looked for documents and before it looks for records."""
    async with AsyncExitStack() as stack:
        clients: list[Any] = [
            AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True),
            *(AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest") for _ in range(2)),
        ]
        for client in clients:
            await client.start()
            stack.push_async_callback(client.stop)
        producer, *consumers = clients
        consumers[0].assign([TopicPartition(topic, 0) for topic in (topics.keys, topics.revocations)])
        parts = (authority.storage, authority.keystore, authority.publication, topics, authority.clock)
        publisher = Publisher(Parts(*parts), producer, Consumers(*consumers))
        await publisher.open()
        await publisher.publish_documents()
        authority.service.revoke_key(authority.service.keys()[0].kid, actor="alice", reason="stolen")
        await publisher.publish_records()
    seen = await reader()
    assert seen.chain.flaws == () and seen.n == 2 and seen.trust.versions == (1, 2)


async def test_audit_events_arrive_and_leave_the_outbox(
    authority: Authority, start: Start, kafka: str, topics: Topics
) -> None:
    await start()
    authority.block("subject", "bob")
    authority.service.record_audit(AuditType.ACCESS_DENIED, "somebody", {"reason": "no token"})
    await until(lambda: authority.service.status().audit_backlog == 0, "the outbox is empty")
    events = await read_audit(kafka, topics)
    assert {AuditType.REVOKED, AuditType.ACCESS_DENIED} <= {event.type for event in events}
    record = (await read(kafka, topics.audit))[0]
    assert record.headers == (("content-type", b"application/cloudevents+json; charset=UTF-8"),)


async def test_a_rotation_happens_by_itself_once_kafka_has_announced_it(
    authority: Authority, start: Start, reader: Callable[[], Awaitable[Reader]]
) -> None:
    await start()
    authority.clock.now += 1
    new = authority.service.rotate_key(actor="alice")
    await until(lambda: authority.service.keys()[0].announced_at == T + 1, "Kafka has the announcement")
    assert authority.service.keys()[0].state is KeyState.ANNOUNCED
    authority.clock.now += 60
    await until(lambda: authority.service.keys()[0].state is KeyState.ACTIVE, "it signs")
    authority.block_one_more()
    await until(lambda: authority.service.status().published_n == 2, "a record that names the key set")
    seen = await reader()
    assert seen.trust.key_set is not None
    own = seen.trust.key_set.of(ISSUER)
    assert own is not None
    assert {entry.public.kid: entry.state for entry in own.keys}[new.kid] is KeyState.ACTIVE
    assert seen.chain.flaws == ()


async def test_a_block_that_runs_out_is_let_go_without_another_revocation(
    authority: Authority, start: Start, reader: Callable[[], Awaitable[Reader]]
) -> None:
    await start()
    receipt = authority.block("subject", "bob", expires_at=T + 10)
    assert await authority.service.published(receipt, 20) == "published"
    authority.clock.now = T + 10
    await until(lambda: authority.service.status().published_n == 3, "an empty record moved the time")
    assert len((await reader()).table) == 0
