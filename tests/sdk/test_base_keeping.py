"""When the base is written, merged and taken over, without Kafka: a core that is fed by hand, and a folder."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from revocast.sdk import denylist
from revocast.sdk.base_file import BaseFile
from revocast.sdk.base_keeping import BaseKeeping
from revocast.sdk.freshness import State, Topic
from revocast.sdk.instant import Instant
from revocast.sdk.local_copy import Draft
from revocast.testing import Authority, Delivery, core_for
from tests.sdk.stage import until

ROWS = 40


class Host:
    """One guard's core and what keeps its base. `tick` waits for what it has begun."""

    def __init__(self, authority: Authority, folder: Path) -> None:
        self.reader = Delivery(authority, core_for(authority))
        self.core = self.reader.core
        self.file = BaseFile(folder / "guard.base", authority.issuer)
        self.keeping = BaseKeeping(self.file, self.now)

    def now(self) -> Instant:
        return self.reader.now

    async def tick(self) -> None:
        self.keeping.tick(self.core, self.now())
        await until(lambda: not self.keeping._busy)

    async def close(self, *, ready: bool) -> None:
        self.core.close(self.now())
        await self.keeping.close(self.core, ready=ready)


@pytest.fixture
def authority() -> Authority:
    authority = Authority()
    for number in range(ROWS):
        authority.block(authority.subject(f"user-{number}"))
    authority.checkpoint()
    return authority


@pytest.fixture
def host(authority: Authority, tmp_path: Path) -> Host:
    return Host(authority, tmp_path)


def read_without_end(host: Host) -> None:
    """Everything is there, and nobody knows that it is everything."""
    for topic in Topic:
        host.reader.feed(topic)
        if topic is not Topic.LOG:
            host.core.caught_up(topic, host.core.ask(host.now()), host.now())
    assert host.core.state is State.STARTING


async def test_who_never_was_ready_merges_and_leaves_nothing(host: Host) -> None:
    read_without_end(host)
    await host.tick()
    assert host.core.verifier.denylist.size.base_rows == 0
    await host.close(ready=False)
    assert host.file.copy.identity() is None


async def test_a_place_that_no_checkpoint_covers_is_not_written(authority: Authority, host: Host) -> None:
    host.reader.deliver()
    authority.block(authority.subject("late"))
    host.reader.deliver()
    host.keeping.tick(host.core, host.now())
    await host.close(ready=True)
    assert host.file.copy.identity() is None
    assert host.core.table() == (authority.position, authority.table.pack())


async def test_a_core_that_another_has_replaced_writes_nothing(authority: Authority, host: Host) -> None:
    host.reader.deliver()
    old, host.core = host.core, core_for(authority)
    await asyncio.gather(host.keeping._merge(old, for_host=True), host.tick())
    await host.file.finish()
    assert host.file.copy.identity() is None


async def test_a_file_that_is_ahead_is_taken_when_the_guard_gets_there(
    authority: Authority, host: Host, tmp_path: Path
) -> None:
    other = Host(authority, tmp_path)
    other.reader.deliver()
    authority.block(authority.subject("late"))
    authority.checkpoint()
    host.reader.deliver()
    await host.tick()
    assert host.file.copy.identity() is not None
    await other.tick()
    assert not other.file.lock.held
    assert other.core.verifier.denylist.size.base_rows == 0
    other.reader.deliver()
    await other.tick()
    assert other.core.verifier.denylist.size.base_rows == ROWS + 1
    assert other.core.table() == (authority.position, authority.table.pack())
    await other.close(ready=True)
    await host.close(ready=True)


async def test_a_file_of_another_root_is_not_taken(authority: Authority, host: Host, tmp_path: Path) -> None:
    other = Host(authority, tmp_path)
    other.reader.deliver()
    host.reader.deliver()
    await host.tick()
    found = host.file.copy.load(authority.issuer)
    draft = Draft(host.file.copy)
    rows = found.base.rows[:]
    draft.write(0, rows)
    draft.finish(len(rows) // 20, bytes(found.base.index_bytes))
    draft.publish(replace(found.place, root="A" * 43))
    draft.close()
    await other.tick()
    assert other.core.verifier.denylist.size.base_rows == 0
    await other.close(ready=True)
    await host.close(ready=True)


async def test_where_nobody_can_write_a_guard_merges_for_itself(
    authority: Authority, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(denylist, "_OVERLAY_AT_LEAST", ROWS // 2)
    (tmp_path / "file").touch()
    alone = Host(authority, tmp_path / "file")
    alone.reader.deliver()
    await alone.tick()
    assert alone.core.verifier.denylist.size.base_rows == ROWS
    assert "cannot be written" in alone.file.problem
    await alone.close(ready=True)


async def test_who_does_not_have_the_lock_leaves_writing_to_the_one_who_has(
    authority: Authority, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(denylist, "_OVERLAY_AT_LEAST", ROWS // 2)
    assert host.file.lock.try_acquire()
    other = Host(authority, tmp_path)
    other.reader.deliver()
    await other.tick()
    assert other.core.verifier.denylist.size.base_rows == 0, "the one who has it will come to it"
    await other.close(ready=True)
    assert other.file.copy.identity() is None
    host.file.lock.release()


async def test_what_killed_writers_have_left_is_swept_before_the_next_writes(
    authority: Authority, host: Host, tmp_path: Path
) -> None:
    left = tmp_path / "guard.base.killed.draft"
    left.touch()
    host.reader.deliver()
    await host.tick()
    assert not left.exists()
    await host.close(ready=True)


async def test_a_merge_that_failed_is_told_and_stops_neither_the_next_nor_the_end(
    authority: Authority, host: Host, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    host.reader.deliver()
    with monkeypatch.context() as until_then:
        until_then.setattr(Draft, "finish", failing)
        await host.tick()
    assert "could not renew its base" in caplog.text
    assert host.core.table() == (authority.position, authority.table.pack())
    await host.close(ready=True)
    assert host.file.copy.load(authority.issuer).place.position == authority.position
    assert not host.file.lock.held


def failing(*_: object) -> None:
    raise OSError("no memory left to map")
