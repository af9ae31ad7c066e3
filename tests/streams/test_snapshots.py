"""Snapshots that real workers take on a real Kafka, also while they are killed."""

import asyncio
import json
import random
from collections.abc import Callable

import pytest

from revocast.schemas.row import NEVER
from revocast.schemas.snapshot import chunk_key
from revocast.schemas.topics import FRAME_PARTITIONS
from revocast.testing import Message
from tests.streams.harness import Publisher, Worker, eventually, ready, records_of, status_of, table_of
from tests.streams.snapshot_log import Found, SnapshotLog

pytestmark = [pytest.mark.timeout(240), pytest.mark.long]


@pytest.fixture
def snapshots(kafka: str, publisher: Publisher) -> SnapshotLog:
    """The snapshots topic of the publisher's deployment."""
    return SnapshotLog(kafka, publisher)


async def test_a_snapshot_is_the_table_at_its_cut_and_nothing_that_came_in_the_same_message(
    kafka: str, publisher: Publisher, snapshots: SnapshotLog, worker: Worker
) -> None:
    issuer = publisher.issuer
    # All of it is a backlog that the worker finds: records before and behind the cut share their messages.
    for user in range(300):
        issuer.block(issuer.subject(f"user-{user}"), issuer.now + 5 if user % 3 == 0 else NEVER)
    issuer.now += 5
    place = snapshots.cut()
    position = issuer.position
    for user in range(100):
        issuer.lift(issuer.subject(f"user-{user}"))
    await publisher.checkpoint()

    manifest = await snapshots.manifest(place, worker)
    assert manifest.position == position
    assert (manifest.rows, manifest.root) == (200, issuer.root.kid)
    assert (manifest.delegations, manifest.key_set) == (issuer.delegations, issuer.key_set)

    status = (await status_of(worker))["snapshots"]
    assert (status["taken"], status["abandoned"], status["newest_countersigned"]) == (True, [], None)
    assert (status["newest"]["n"], status["newest"]["rows"]) == (place[1], 200)
    await snapshots.countersign(place)

    async def shown() -> bool:
        newest = (await status_of(worker))["snapshots"]["newest_countersigned"]
        return bool(newest and newest["n"] == place[1])

    await eventually("the countersigned one in the status", shown, worker)
    events = [json.loads(event.value) for event in await records_of(kafka, publisher.topics.audit, 3)]
    assert [e["data"]["rows"] for e in events if e["type"] == "revocast.snapshot.written"] == [200]


async def test_only_chunks_that_changed_or_were_damaged_are_written_and_what_nobody_needs_is_deleted(
    kafka: str, publisher: Publisher, snapshots: SnapshotLog, worker: Worker
) -> None:
    issuer, topic = publisher.issuer, publisher.topics.snapshots
    for user in range(60):
        issuer.block(issuer.subject(f"user-{user}"))

    async def taken() -> tuple[int, int]:
        place = snapshots.cut()
        await publisher.checkpoint()
        await snapshots.manifest(place, worker)
        await snapshots.countersign(place)
        return place

    async def written() -> dict[bytes, int]:
        offsets = [record.key for record in await records_of(kafka, topic) if record.value]
        return {key: offsets.count(key) for key in offsets if key.startswith(b"chunk/")}

    first = await taken()
    assert set((await written()).values()) == {1}
    issuer.block(issuer.subject("one more"))
    second = await taken()
    found = await snapshots.found()
    old, new = ({chunk.sha256 for chunk in found.countersigned[place].chunks} for place in (first, second))
    assert len(new - old) == 1
    assert set((await written()).values()) == {1}

    overwritten, deleted, *_ = (chunk_key(sha256) for sha256 in sorted(new & old))
    await publisher.send(topic, Message(0, overwritten, b"junk"))
    await publisher.send(topic, Message(0, deleted, None))
    third = await taken()
    assert {key for key, times in (await written()).items() if times > 1} == {overwritten, deleted}

    issuer.lift(issuer.subject("one more"))
    fourth = await taken()
    fifth = await taken()

    async def reclaimed() -> bool:
        return set((await snapshots.found()).countersigned) == {fourth, fifth}

    await eventually("the older snapshots to go", reclaimed, worker)
    found = await snapshots.found()
    assert {found.rows(found.countersigned[place]) for place in (fourth, fifth)} == {issuer.table.pack()}
    assert third not in found.signed

    async def only_theirs() -> bool:
        values = (await snapshots.found()).values
        return len(values) == 2 + len(found.countersigned[fifth].chunks)

    await eventually("the chunks that nobody needs to go", only_theirs, worker)


async def test_workers_that_are_killed_during_cuts_leave_every_manifest_exact_and_the_last_snapshot_usable(
    publisher: Publisher, snapshots: SnapshotLog, workers: Callable[[], Worker]
) -> None:
    issuer = publisher.issuer
    pair = (workers(), workers())
    for worker in pair:
        worker.start()
    await both_hold_partitions(*pair)  # a rebalance may cost a cut
    for user in range(400):
        issuer.block(issuer.subject(f"user-{user}"))
    place = snapshots.cut()
    await publisher.checkpoint()
    await snapshots.manifest(place)
    await snapshots.countersign(place)
    chance = random.Random(4)

    for round_ in range(4):
        for user in range(100):
            issuer.block(issuer.subject(f"round-{round_}-{user}"))
            issuer.lift(issuer.subject(f"user-{round_ * 100 + user}"))
            if user % 50 == 20:
                snapshots.cut()
        await publisher.checkpoint()
        await asyncio.sleep(chance.uniform(0, 0.4))  # Anywhere between the frames and the manifest.
        victim = pair[round_ % 2]
        victim.kill()
        victim.start()
        await every_manifest_is_right(snapshots)
        assert place in (await snapshots.found()).countersigned

    async def cut_again() -> bool:
        # What was abandoned is not made up for: the next cut comes, as the issuer sends it.
        last = snapshots.cut()
        await publisher.checkpoint()
        for _ in range(20):
            if last in (await snapshots.found()).signed:
                return True
            await asyncio.sleep(0.1)
        return False

    await eventually("a cut after the kills", cut_again)
    found = await every_manifest_is_right(snapshots)
    assert max(found.signed) == max(snapshots.tables)
    assert await table_of(pair[0], publisher) == issuer.table.pack()


async def both_hold_partitions(first: Worker, second: Worker) -> None:
    """Wait until two workers share all partitions."""

    async def shared() -> bool:
        held = [(await status_of(worker)).get("partitions", {}) for worker in (first, second)]
        return all(held) and len({*held[0], *held[1]}) == FRAME_PARTITIONS

    await eventually("both hold partitions", shared)


async def every_manifest_is_right(snapshots: SnapshotLog) -> Found:
    """Whatever manifest stands there names the model's table at its n, byte for byte."""
    found = await snapshots.found()
    for place, manifest in (*found.signed.items(), *found.countersigned.items()):
        assert found.rows(manifest) == snapshots.tables[place]
    return found


async def test_a_partition_that_moves_ends_the_cut_and_the_next_one_is_whole(
    publisher: Publisher, snapshots: SnapshotLog, workers: Callable[[], Worker]
) -> None:
    first, second = workers(), workers()
    first.start()
    await ready(first)
    for user in range(50):
        publisher.issuer.block(publisher.issuer.subject(f"user-{user}"))
    snapshots.cut()
    await publisher.checkpoint()
    second.start()

    await both_hold_partitions(first, second)
    place = snapshots.cut()
    await publisher.checkpoint()
    await snapshots.manifest(place, first)
    await every_manifest_is_right(snapshots)
    first.stop()
    place = snapshots.cut()
    await publisher.checkpoint()
    await snapshots.manifest(place, second)
