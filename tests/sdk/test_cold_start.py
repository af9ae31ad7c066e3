"""A host on which nothing lies yet, on a real Kafka: one worker reads the snapshot for all. And offsets that are another log's."""

import asyncio
import multiprocessing
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from revocast.dev.broker.topics import create_topics, truncate
from revocast.schemas.topics import Topics
from revocast.sdk import beginning, follower, recovery
from revocast.sdk import kafka as source
from revocast.testing import Authority
from tests.sdk.cold_worker import serve
from tests.sdk.stage import stage, until
from tests.sdk.test_follower import guard_on, refuses

pytestmark = pytest.mark.long


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_TICK", 0.05)
    monkeypatch.setattr(follower, "_ASK_EVERY", 0.2)
    monkeypatch.setattr(recovery, "REREAD_SECONDS", (0.1, 0.2))


NAMES = ("one", "two", "three")


@pytest.fixture
def authority() -> Authority:
    authority = Authority(now=int(time.time()))
    for number in range(20):
        authority.block(authority.subject(f"user-{number}"))
    authority.checkpoint()
    return authority


@contextmanager
def starting(options: dict[str, str], folder: Path) -> Iterator[dict[str, BaseProcess]]:
    """Several workers of one host at once, by name. What is left of them is killed."""
    spawning = multiprocessing.get_context("forkserver")
    spawning.set_forkserver_preload(["tests.sdk.cold_worker"])
    processes: dict[str, BaseProcess] = {
        name: spawning.Process(target=serve, args=(options, folder, name), daemon=True) for name in NAMES
    }
    try:
        for process in processes.values():
            process.start()
        yield processes
    finally:
        for process in processes.values():
            process.kill()
            process.join()


def said(folder: Path, what: str) -> set[str]:
    return {path.stem for path in folder.glob(f"*.{what}")}


@pytest.mark.timeout(120)
async def test_at_a_cold_start_one_worker_reads_the_snapshot_for_all_and_another_when_that_one_is_killed(
    kafka: str, prefix: str, topics: Topics, authority: Authority, tmp_path: Path
) -> None:
    authority.snapshot()
    authority.checkpoint()
    options = {
        "issuer": authority.issuer,
        "audience": authority.audience,
        "kafka": kafka,
        "prefix": prefix,
        "root": authority.pin,
        "state_dir": str(tmp_path / "state"),
    }
    async with stage(authority, topics, kafka):
        await truncate(topics.revocations, kafka, authority.log.end - 1)
        with starting(options, tmp_path) as workers:
            await until(lambda: len(said(tmp_path, "reading")) == 1, seconds=60)
            (first,) = said(tmp_path, "reading")
            workers[first].kill()
            await until(lambda: len(said(tmp_path, "reading")) == 2, seconds=60)
            (second,) = said(tmp_path, "reading") - {first}
            (third,) = set(NAMES) - {first, second}
            (tmp_path / "go").touch()
            await until(lambda: said(tmp_path, "ready") == {second, third}, seconds=60)
            assert said(tmp_path, "reading") == {first, second}
            n = authority.position.n
            assert (tmp_path / f"{second}.ready").read_text() == f"snapshot/{n}"
            assert (tmp_path / f"{third}.ready").read_text() == f"local copy/{n}"
            await asyncio.to_thread(workers[first].join)


async def send_junk(kafka: str, topic: str, count: int) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        for _ in range(count):
            await producer.send_and_wait(topic, b"junk", partition=0)


@pytest.mark.parametrize(
    ("before", "now"), [(0, 5), (5, 0), (60, 0)], ids=["later", "earlier", "beyond its end"]
)
async def test_where_the_log_was_made_anew_with_other_offsets_a_local_copy_goes_on_at_the_right_record(
    kafka: str, prefix: str, topics: Topics, authority: Authority, tmp_path: Path, before: int, now: int
) -> None:
    bob = authority.mint(sub="bob", client_id="another")
    await send_junk(kafka, topics.revocations, before)
    async with stage(authority, topics, kafka), guard_on(kafka, authority, prefix, tmp_path) as guard:
        written = guard.settings.base_path
    anew = Topics(f"{prefix}-anew")
    await create_topics(anew, kafka)
    for number in range(8):
        authority.block(authority.subject(f"later-{number}"))
    authority.block(authority.subject("bob"))
    authority.checkpoint()
    await send_junk(kafka, anew.revocations, now)
    async with stage(authority, anew, kafka):
        guard = guard_on(kafka, authority, anew.prefix, tmp_path)
        shutil.copy(written, guard.settings.base_path)
        async with guard:
            assert guard.health().origin == "local copy"
            assert guard.table() == (authority.position, authority.table.pack())
            assert refuses(guard, bob)


@pytest.mark.parametrize(("before", "now"), [(0, 5), (5, 0)], ids=["later", "earlier"])
async def test_where_the_log_was_made_anew_with_other_offsets_a_snapshot_is_gone_on_from_at_the_right_record(
    kafka: str,
    prefix: str,
    topics: Topics,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: int,
    now: int,
) -> None:
    monkeypatch.setattr(beginning, "_SHORT", 10)
    authority.log.end += before  # the manifest's hint counts what stood there
    authority.snapshot()
    for number in range(8):
        authority.block(authority.subject(f"later-{number}"))
    authority.checkpoint()
    await send_junk(kafka, topics.revocations, now)
    async with stage(authority, topics, kafka), guard_on(kafka, authority, prefix, tmp_path) as guard:
        assert guard.health().origin == "snapshot"
        assert guard.table() == (authority.position, authority.table.pack())
