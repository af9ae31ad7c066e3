"""Where a guard begins, on a real Kafka: local copy, snapshot, log. And that workers of a host share what one of them wrote."""

import asyncio
import logging
import time
from dataclasses import replace
from pathlib import Path

import pytest

from revocast.dev.broker.topics import truncate
from revocast.schemas.topics import Topics
from revocast.sdk import Guard, State, base_keeping, beginning, follower, recovery
from revocast.sdk import kafka as source
from revocast.sdk.freshness import Topic
from revocast.sdk.packed import PackedBase
from revocast.testing import Authority, Delivery, core_for
from tests.sdk.stage import stage, until
from tests.sdk.test_follower import guard_on, refuses


@pytest.fixture
def authority() -> Authority:
    authority = Authority(now=int(time.time()))
    authority.block(authority.subject("mallory"))
    authority.checkpoint()
    return authority


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_TICK", 0.05)


def holds_its_table(guard: Guard, authority: Authority) -> bool:
    return guard.table() == (authority.position, authority.table.pack())


def origin(guard: Guard) -> str:
    return guard.health().origin


async def test_a_restarted_guard_goes_on_from_where_it_stopped(
    kafka: str, prefix: str, topics: Topics, authority: Authority, tmp_path: Path
) -> None:
    bob = authority.mint(sub="bob", client_id="another")
    async with stage(authority, topics, kafka) as staged:
        async with guard_on(kafka, authority, prefix, tmp_path) as guard:
            assert origin(guard) == "log"
        authority.block(authority.subject("bob"))
        authority.checkpoint()
        await staged.publish()
        async with guard_on(kafka, authority, prefix, tmp_path) as guard:
            assert origin(guard) == "local copy"
            assert guard.health().counters["log.applied"] == 1
            assert holds_its_table(guard, authority)
            assert refuses(guard, bob)


async def test_a_damaged_local_copy_is_as_good_as_none(
    kafka: str,
    prefix: str,
    topics: Topics,
    authority: Authority,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with stage(authority, topics, kafka):
        async with guard_on(kafka, authority, prefix, tmp_path) as guard:
            path = guard.settings.base_path
        good = path.read_bytes()
        path.write_bytes(good[:65540] + bytes((good[65540] ^ 1,)) + good[65541:])
        with caplog.at_level(logging.WARNING, "revocast.sdk"):
            async with guard_on(kafka, authority, prefix, tmp_path) as guard:
                assert origin(guard) == "log"
                assert holds_its_table(guard, authority)
        assert "the local copy is not used: it is damaged" in caplog.text
        async with guard_on(kafka, authority, prefix, tmp_path) as guard:
            assert origin(guard) == "local copy", "it was written anew"


async def test_who_slept_longer_than_the_log_reaches_back_goes_on_from_a_snapshot(
    kafka: str, prefix: str, topics: Topics, authority: Authority, tmp_path: Path
) -> None:
    bob = authority.mint(sub="bob", client_id="another")
    async with stage(authority, topics, kafka) as staged:
        async with guard_on(kafka, authority, prefix, tmp_path):
            pass
        authority.block(authority.subject("bob"))
        authority.append()
        authority.snapshot()
        behind = authority.log.end
        authority.block(authority.subject("carol"))
        authority.checkpoint()
        await staged.publish()
        await truncate(topics.revocations, kafka, behind)
        async with guard_on(kafka, authority, prefix, tmp_path) as guard:
            assert origin(guard) == "snapshot"
            assert holds_its_table(guard, authority)
            assert refuses(guard, bob)
        async with guard_on(kafka, authority, prefix, tmp_path) as guard:
            assert origin(guard) == "local copy"


async def test_a_long_log_is_not_replayed_where_a_snapshot_is_far_ahead(
    kafka: str,
    prefix: str,
    topics: Topics,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(beginning, "_SHORT", 10)
    for number in range(20):
        authority.block(authority.subject(f"user-{number}"))
    authority.snapshot()
    authority.checkpoint()
    async with stage(authority, topics, kafka), guard_on(kafka, authority, prefix, tmp_path) as guard:
        assert origin(guard) == "snapshot"
        assert holds_its_table(guard, authority)


async def test_a_running_guard_that_missed_what_was_truncated_gets_well_from_a_snapshot(
    kafka: str,
    prefix: str,
    topics: Topics,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(follower, "_ASK_EVERY", 0.2)
    monkeypatch.setattr(recovery, "REREAD_SECONDS", (0.1, 0.2))
    monkeypatch.setattr(recovery, "ANEW_SECONDS", (0.1, 0.2))
    bob = authority.mint(sub="bob", client_id="another")
    async with (
        stage(authority, topics, kafka) as staged,
        guard_on(kafka, authority, prefix, tmp_path) as guard,
    ):
        authority.block(authority.subject("bob"))
        lost = authority.log.messages[-1]
        authority.log.messages[-1] = replace(lost, value=b"lost")
        authority.snapshot()
        authority.checkpoint()
        await staged.publish()
        await until(lambda: guard.state is State.INCOMPLETE)
        await until(lambda: guard.state is State.READY)
        assert refuses(guard, bob)
        assert holds_its_table(guard, authority)


async def test_a_guard_that_finds_no_snapshot_yet_waits_for_one(
    kafka: str, prefix: str, topics: Topics, authority: Authority, tmp_path: Path
) -> None:
    async with stage(authority, topics, kafka) as staged:
        await truncate(topics.revocations, kafka, 1)
        guard = guard_on(kafka, authority, prefix, tmp_path)
        starting = asyncio.create_task(guard.start())
        await until(lambda: "no snapshot to begin from" in guard._missing())
        authority.snapshot()
        authority.checkpoint()
        await staged.publish()
        await starting
        assert origin(guard) == "snapshot"
        assert holds_its_table(guard, authority)
        await guard.stop()


async def test_a_folder_that_cannot_be_written_stops_no_guard(
    kafka: str, prefix: str, topics: Topics, authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "state").write_bytes(b"no folder")
    async with (
        stage(authority, topics, kafka),
        guard_on(kafka, authority, prefix, tmp_path / "state") as guard,
    ):
        assert holds_its_table(guard, authority)
        assert any("local copy cannot be written" in warning for warning in guard.health().warnings)


async def test_one_of_two_guards_writes_the_other_takes_over_its_base_and_its_lock(
    kafka: str,
    prefix: str,
    topics: Topics,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(base_keeping, "_SMALL_EVERY", 0.0)
    async with stage(authority, topics, kafka) as staged:
        one, other = (guard_on(kafka, authority, prefix, tmp_path) for _ in range(2))
        await one.start()
        await until(lambda: one._source._file.lock.held)
        await other.start()
        authority.block(authority.subject("bob"))
        authority.checkpoint()
        await staged.publish()
        await until(lambda: other.health().size.base_rows == 2)
        assert not other._source._file.lock.held
        assert holds_its_table(other, authority)
        assert other.health().size.overlay_rows == 0
        await one.stop()
        await until(lambda: other._source._file.lock.held)
        authority.block(authority.subject("carol"))
        authority.checkpoint()
        await staged.publish()
        await until(lambda: other.health().size.base_rows == 3)
        await other.stop()


def test_a_log_that_was_put_back_behind_a_local_copy_makes_nobody_ready() -> None:
    authority = Authority()
    authority.block(authority.subject("bob"))
    before = authority.log.end, authority.checkpoint()
    authority.block(authority.subject("carol"))
    place, table = authority.position, authority.table.pack()
    authority.log.messages = authority.log.messages[: before[0]]

    reader = Delivery(authority, core_for(authority))
    for topic in (Topic.KEYS, Topic.CHECKPOINTS):
        reader.feed(topic)
        reader.core.caught_up(topic, reader.core.ask(reader.now), reader.now)
    reader.core.begin(PackedBase.build(table), place, before[0], reader.now)
    reader.deliver()
    assert reader.core.state is State.STARTING
    assert "put back to an earlier state" in reader.core.missing()
    authority.checkpoint()
    reader.deliver()
    assert reader.core.state is State.READY
    assert reader.core.table() == (place, table)
