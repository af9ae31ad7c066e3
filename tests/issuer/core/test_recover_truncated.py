"""`recover` where the log was truncated: what the restored database lacks comes from a countersigned snapshot, or is said."""

from pathlib import Path

import pytest

from revocast.issuer.authority.recovered import NextStep, Recovered
from revocast.issuer.authority.revocations import Unnamed
from revocast.issuer.recovery import recover
from revocast.schemas.row import Slot
from tests.issuer.core.authority import Authority, T
from tests.issuer.core.backup import Backup
from tests.issuer.core.deployment import Deployment
from tests.issuer.core.reader import read, until, write

pytestmark = pytest.mark.long

sqlite_alone = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


async def restored(deployment: Deployment, backup: Backup) -> None:
    await deployment.stop()
    deployment.authority.close()
    backup.restore()
    deployment.authority.publication.forget()


async def recovered(deployment: Deployment, *, dry_run: bool = False) -> Recovered:
    authority = deployment.authority
    return await recover(
        authority.storage, authority.keystore, deployment.settings, clock=authority.clock, dry_run=dry_run
    )


async def test_a_database_from_before_the_truncation_starts_from_the_snapshot_and_takes_in_the_rest(
    authority: Authority, deployment: Deployment, tmp_path: Path
) -> None:
    await deployment.start()
    authority.block("subject", "alice")
    authority.block("subject", "lifted later")
    await deployment.published()
    backup = Backup(authority.url, tmp_path)
    authority.lift("subject", "lifted later", slot=Slot.BLOCK)
    await deployment.truncated()
    authority.cut("subject", "after the snapshot")
    await deployment.published()
    before = authority.service.status()
    await restored(deployment, backup)

    await deployment.start()
    await until(lambda: authority.publication.relay.state == "refusing", "it refuses")
    await deployment.stop()
    tried = await recovered(deployment, dry_run=True)
    assert authority.service.status().n < before.n
    account = await recovered(deployment)
    assert (
        account.snapshot is not None
        and account.snapshot == tried.snapshot
        and account.next_step is NextStep.START
    )
    after = authority.service.status()
    assert (after.n, after.table) == (before.n, before.table)
    rows, _ = authority.service.list_revocations(limit=1000)
    named = [row.selector.values for row in rows if not isinstance(row.selector, Unnamed)]
    assert named == [("alice",)], "what the backup knew by name, and what it did not"
    assert deployment.oldest == account.snapshot[0]

    await deployment.start(records=10**9)
    receipt = authority.block_one_more()
    assert await authority.service.published(receipt, 20) == "published"
    assert authority.publication.relay.problem is None
    await deployment.streams.follow()
    assert deployment.streams.reader.table.pack() == authority.service.status().table
    await deployment.stop()
    assert (await recovered(deployment)).changed is False


@sqlite_alone
async def test_what_was_pending_in_the_copy_is_written_again_behind_the_snapshot(
    authority: Authority, deployment: Deployment, tmp_path: Path
) -> None:
    """Nobody can know whether it was published since, and lifted: a revocation too many can be lifted again."""
    await deployment.start()
    await deployment.published()
    await deployment.stop()
    authority.block("subject", "pending")
    backup = Backup(authority.url, tmp_path)
    authority.lift("subject", "pending", slot=Slot.BLOCK)
    await deployment.start()
    await deployment.truncated()
    await restored(deployment, backup)
    account = await recovered(deployment)
    assert account.snapshot is not None and account.again == 1 and not account.foreign
    rows, _ = authority.service.list_revocations(kind="subject")
    assert [row.selector.values for row in rows] == [("pending",)]
    await deployment.start(records=10**9)
    await deployment.published()
    await deployment.streams.follow()
    assert deployment.streams.reader.chain.flaws == ()
    assert deployment.streams.reader.table.pack() == authority.service.status().table


@sqlite_alone
async def test_a_database_that_is_only_older_than_the_truncation_publishes_nothing_again(
    authority: Authority, deployment: Deployment, tmp_path: Path
) -> None:
    await deployment.start()
    first, _ = await deployment.snapshot()
    await deployment.snapshot()
    backup = Backup(authority.url, tmp_path)
    authority.clock.now += 1000
    await until(lambda: deployment.oldest > (1, first.n), "the log was truncated")
    authority.block_one_more()
    await deployment.published()
    before, log = authority.service.status(), deployment.settings.topics.revocations
    await restored(deployment, backup)
    account = await recovered(deployment)
    assert account.snapshot is None and account.next_step is NextStep.START
    assert authority.service.status().table == before.table
    _, last = await deployment.bounds(log)
    await deployment.start(records=10**9)
    await deployment.published()
    receipt = authority.block_one_more()
    assert await authority.service.published(receipt, 20) == "published"
    assert (await deployment.bounds(log))[1] == last + 1


@sqlite_alone
async def test_without_a_whole_snapshot_what_is_lost_is_said_and_only_a_new_epoch_can_follow(
    authority: Authority, deployment: Deployment, tmp_path: Path
) -> None:
    await deployment.start()
    await deployment.published()
    backup = Backup(authority.url, tmp_path)
    first, second, _ = await deployment.truncated()
    await restored(deployment, backup)
    topic = deployment.settings.topics.snapshots
    chunks = [
        each.key for each in await read(deployment.settings.kafka, topic) if b"chunk/" in (each.key or b"")
    ]
    await write(deployment.settings.kafka, topic, *((key, b"junk") for key in chunks))
    account = await recovered(deployment)
    assert account.snapshot is None and account.next_step is NextStep.TAKE_LOG
    assert account.missing == ((1, 2), (1, first.n - 1))
    assert authority.service.status().n == 1 and second.n > first.n


@sqlite_alone
async def test_a_pending_record_makes_way_in_a_database_whose_log_was_truncated(
    authority: Authority, deployment: Deployment, tmp_path: Path
) -> None:
    """What its slots held may have been written in what was forgotten: nothing of that is lost."""
    await deployment.start()
    authority.cut("subject", "alice", cutoff=T - 50)
    await deployment.truncated()
    await deployment.published()
    await deployment.stop()
    backup_of_published = Backup(authority.url, tmp_path)
    authority.cut("subject", "alice", cutoff=T - 100)
    authority.cut("subject", "alice", cutoff=T - 10)
    pending = tmp_path / "pending"
    pending.mkdir()
    backup = Backup(authority.url, pending)
    await restored(deployment, backup_of_published)
    await deployment.start(records=10**9)
    authority.block("subject", "bob")
    await deployment.published()
    await restored(deployment, backup)
    account = await recovered(deployment)
    assert account.again == 1 and account.taken == 1 and account.next_step is NextStep.START
    await deployment.start(records=10**9)
    await deployment.published()
    await deployment.streams.follow()
    assert deployment.streams.reader.table.pack() == authority.service.status().table
    (row,) = (row for row in authority.service.list_revocations(kind="subject", value="alice")[0])
    assert row.row.cutoff == T - 10
