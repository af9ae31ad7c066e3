"""The log and the keys are truncated behind what took their place: nothing that a reader needs goes."""

import pytest
from sqlalchemy import func, select, update

from revocast.dev.broker.topics import truncate
from revocast.issuer.storage.snapshots import truncate_to
from revocast.issuer.storage.tables import KeyDocument, LogRecord
from revocast.issuer.storage.tables import Publication as Place
from revocast.schemas.audit import AuditType
from revocast.schemas.topics import Topics
from revocast.schemas.trust import Trust
from tests.issuer.core.authority import ISSUER, Authority
from tests.issuer.core.deployment import LOG_AGE, Deployment
from tests.issuer.core.reader import read, read_audit, until, write
from tests.issuer.core.root_holder import RootHolder

sqlite_alone = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


async def test_the_log_begins_with_the_old_cuts_record_and_every_reader_is_right(
    authority: Authority, deployment: Deployment
) -> None:
    await deployment.start()
    first, second, packed = await deployment.truncated()
    log = await read(deployment.streams.kafka, deployment.streams.topics.revocations)
    assert (log[0].offset, log[0].key) == (first.log_offset, str(first.n).encode())
    assert authority.service.log()[0].n == first.n
    assert authority.service.snapshots().oldest == (1, first.n)
    authority.block_one_more()
    await deployment.published()
    fresh = await deployment.reader(second, packed)
    assert fresh.chain.flaws == () and fresh.table.pack() == authority.service.status().table
    await deployment.streams.follow()
    assert deployment.streams.reader.table.pack() == authority.service.status().table
    await until(lambda: authority.service.status().audit_backlog == 0, "the audit is out")
    told = [event.type for event in await read_audit(deployment.streams.kafka, deployment.streams.topics)]
    assert told.count(AuditType.LOG_TRUNCATED) == 1
    assert not authority.service.warnings()


@pytest.mark.parametrize("noted", [True, False])
async def test_after_a_restart_the_relay_publishes_on_and_nothing_again(
    authority: Authority, deployment: Deployment, noted: bool
) -> None:
    """Whether it finds its place by its note, or walks the log from where that begins now."""
    await deployment.start()
    await deployment.truncated()
    await deployment.stop()
    if not noted:
        with authority.storage.write() as session:
            session.execute(update(Place).values(first_offset=None))
    _, last = await deployment.bounds(deployment.streams.topics.revocations)
    await deployment.start(records=10**9)
    receipt = authority.block_one_more()
    assert await authority.service.published(receipt, 20) == "published"
    assert (await deployment.bounds(deployment.streams.topics.revocations))[1] == last + 1
    assert authority.publication.relay.problem is None
    await deployment.streams.follow()
    assert deployment.streams.reader.n == receipt.n


@sqlite_alone
async def test_another_process_takes_over_behind_a_truncated_log(
    authority: Authority, deployment: Deployment
) -> None:
    await deployment.start()
    other, publication = authority.other()
    await deployment.start(publication)
    await deployment.truncated()
    await deployment.stop_first()
    receipt = authority.block_one_more()
    assert await other.published(receipt, 20) == "published"
    await deployment.snapshot()


@sqlite_alone
@pytest.mark.parametrize("deleted", [False, True])
async def test_a_truncation_that_was_killed_is_finished_by_the_next_relay(
    authority: Authority, deployment: Deployment, kafka: str, topics: Topics, deleted: bool
) -> None:
    """Killed once the place was noted, or once Kafka had deleted; the database has forgotten nothing yet."""
    await deployment.start()
    manifest, packed = await deployment.snapshot()
    await deployment.stop()
    with authority.storage.write() as session:
        truncate_to(session, (1, manifest.n))
    if deleted:
        await truncate(topics.revocations, kafka, manifest.log_offset)
    await deployment.start(records=10**9)
    receipt = authority.block_one_more()
    assert await authority.service.published(receipt, 20) == "published"
    await until(lambda: deployment.stored_from == manifest.n, "the database has forgotten it")
    assert (await deployment.bounds(topics.revocations))[0] == manifest.log_offset
    assert (await deployment.reader(manifest, packed)).n == receipt.n


@sqlite_alone
async def test_nothing_is_truncated_while_the_newest_snapshot_is_not_whole_on_the_topic(
    authority: Authority, deployment: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    await deployment.start()
    await deployment.snapshot()
    second, _ = await deployment.snapshot()
    key = b"chunk/" + second.chunks[0].sha256.hex().encode()
    await write(deployment.streams.kafka, deployment.streams.topics.snapshots, (key, b"x" * 40))
    authority.clock.now += LOG_AGE
    await until(lambda: "is not whole on the topic" in caplog.text, "it says so")
    await until(lambda: len(authority.service.snapshots().snapshots) == 3, "and another is cut at once")
    assert deployment.oldest == (0, 1)
    third, _ = await deployment.snapshot()
    await until(lambda: deployment.oldest == (1, second.n), "the next one does")
    assert third.n > second.n


@sqlite_alone
async def test_a_new_epoch_leaves_nothing_of_the_old_one_once_its_first_snapshot_is_old(
    authority: Authority, deployment: Deployment
) -> None:
    await deployment.start()
    await deployment.truncated()
    holder = RootHolder(authority)
    holder.adopt(holder.new_epoch())
    await deployment.published()
    await until(lambda: authority.service.status().published_n > 0, "the new epoch is published")
    first, second, packed = await deployment.truncated()
    assert first.epoch == 2
    log = await read(deployment.streams.kafka, deployment.streams.topics.revocations)
    assert log[0].offset == first.log_offset
    with authority.storage.read() as session:
        assert session.scalar(select(func.min(LogRecord.epoch))) == 2
    fresh = await deployment.reader(second, packed)
    assert fresh.chain.flaws == () and fresh.table.pack() == authority.service.status().table


async def test_the_keys_topic_is_truncated_behind_the_list_and_the_key_set_in_force(
    authority: Authority, deployment: Deployment, kafka: str, topics: Topics
) -> None:
    holder = RootHolder(authority)
    for _ in range(3):
        holder.delegate()
    await deployment.start()
    await deployment.published()
    await deployment.stop()  # or it truncates before all of the junk is there
    await write(kafka, topics.keys, *((b"junk", b"junk") for _ in range(70)))
    await deployment.start()
    await until(lambda: documents(authority) == 2, "the older documents are forgotten")
    left = [record.value for record in await read(kafka, topics.keys)]
    assert left == [authority.service.delegations(), authority.service.key_set()]
    trust = Trust(ISSUER, authority.terms.root)
    for offset, value in enumerate(left):
        trust.receive(value, offset)
    assert trust.versions == (4, 4) and not trust.waiting
    await deployment.stop()
    await deployment.start()
    holder.delegate()
    assert await authority.service.published(authority.block_one_more(), 20) == "published"
    assert authority.publication.relay.problem is None


@sqlite_alone
async def test_a_list_that_only_the_topic_has_is_never_truncated_away(
    authority: Authority, deployment: Deployment, kafka: str, topics: Topics
) -> None:
    """Break-glass: the root's holder writes to the topic among seventy records of junk."""
    await deployment.start()
    await deployment.published()
    holder = RootHolder(authority)
    listed = holder.signed(holder.in_force.renewed(holder.now, 100))
    junk = [(b"junk", b"junk")] * 70
    await write(kafka, topics.keys, *junk, (b"delegations/2", listed), *junk)
    await until(lambda: authority.service.delegations() == listed, "the issuer adopted it")
    await until(lambda: documents(authority) == 2, "the older documents are forgotten")
    assert listed in [record.value for record in await read(kafka, topics.keys)]


def documents(authority: Authority) -> int:
    with authority.storage.read() as session:
        return session.scalar(select(func.count()).select_from(KeyDocument)) or 0
