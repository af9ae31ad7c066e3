"""Workers that are killed, join and come back, under load: nothing is lost, and every worker answers the same."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from revocast.schemas.topics import FRAME_PARTITIONS
from tests.streams.harness import Publisher, Worker, eventually, ready, status_of, table_of

pytestmark = [pytest.mark.timeout(240), pytest.mark.long]


async def load(publisher: Publisher, records: int, name: str) -> None:
    """Publish that many records, each revoking and some lifting."""
    issuer = publisher.issuer
    for number in range(records):
        issuer.block(issuer.subject(f"{name}-{number}"))
        if number % 5 == 4:
            issuer.lift(issuer.subject(f"{name}-{number - 2}"))
        if number % 20 == 0:
            await publisher.publish()
    await publisher.checkpoint()


async def holding(worker: Worker) -> set[int]:
    """The partitions that the worker holds."""
    return {int(partition) for partition in (await status_of(worker)).get("partitions", {})}


@pytest.mark.parametrize("keeps_its_folder", [True, False])
async def test_killed_in_mid_batch_it_comes_back_with_every_row(
    publisher: Publisher, worker: Worker, keeps_its_folder: bool
) -> None:
    await load(publisher, 200, "before")
    for round_ in range(2):
        await ready(worker)
        await load(publisher, 150, f"during-{round_}")
        worker.kill()
        await load(publisher, 20, f"away-{round_}")
        if not keeps_its_folder:
            shutil.rmtree(Path(worker.environ["REVOCAST_STREAMS_DATADIR"]))
        worker.start()
    assert await table_of(worker, publisher) == publisher.issuer.table.pack()


async def test_a_second_worker_shares_the_work_and_takes_over_when_the_first_dies(
    publisher: Publisher, workers: Callable[[], Worker]
) -> None:
    issuer = publisher.issuer
    first, second = workers(), workers()
    first.start()
    await load(publisher, 200, "alone")
    assert await table_of(first, publisher) == issuer.table.pack()

    second.start()
    await load(publisher, 200, "joining")

    async def shared() -> bool:
        held = (await holding(first), await holding(second))
        return all(held) and held[0] | held[1] == set(range(FRAME_PARTITIONS)) and not held[0] & held[1]

    await eventually("both hold partitions", shared)
    for worker in (first, second):
        assert await table_of(worker, publisher) == issuer.table.pack()
    await every_subject_is_found(first, publisher, "joining", 200)
    await every_subject_is_found(second, publisher, "joining", 200)

    first.kill()
    killed_at = time.monotonic()
    await load(publisher, 100, "after")
    assert await table_of(second, publisher) == issuer.table.pack()
    print(f"the survivor answers for all {time.monotonic() - killed_at:.1f} s after the kill")

    first.start()
    await load(publisher, 100, "again")
    await eventually("both hold partitions again", shared)
    second.kill()
    await load(publisher, 50, "last")
    assert await table_of(first, publisher) == issuer.table.pack()


async def every_subject_is_found(worker: Worker, publisher: Publisher, name: str, records: int) -> None:
    """Look-ups answer right, whichever worker holds the partition."""
    issuer = publisher.issuer
    for number in range(0, records, 7):
        fingerprint, _ = issuer.name(issuer.subject(f"{name}-{number}"))
        answer = await worker.get("/v1/lookup", fingerprint=fingerprint.hex())
        assert answer.status_code == 200, answer.text
        live = [row for row in issuer.table if row.fingerprint == fingerprint]
        assert len(answer.json()["rows"]) == len(live)


async def test_while_the_owner_is_dead_its_partitions_are_refused_not_answered(
    publisher: Publisher, workers: Callable[[], Worker]
) -> None:
    issuer = publisher.issuer
    first, second = workers(), workers()
    first.start()
    await load(publisher, 60, "user")
    await ready(first)
    second.start()

    async def joined() -> bool:
        return bool(await holding(second)) and bool(await holding(first))

    await eventually("both hold partitions", joined)
    first.kill()
    refused = 0
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        answers = [
            (await second.get("/v1/lookup", fingerprint=issuer.name(issuer.subject(f"user-{n}"))[0].hex()), n)
            for n in range(0, 60, 5)
        ]
        for answer, _ in answers:
            if answer.status_code == 200:
                assert answer.json()["rows"], "a revoked subject was answered as not revoked"
            else:
                assert answer.status_code in (421, 503)
                refused += 1
        if len(await holding(second)) == FRAME_PARTITIONS and all(a.status_code == 200 for a, _ in answers):
            break
        await publisher.checkpoint()
    assert refused
    assert await table_of(second, publisher) == issuer.table.pack()


async def test_a_worker_that_was_thought_dead_harms_nothing_when_it_goes_on(
    publisher: Publisher, workers: Callable[[], Worker]
) -> None:
    issuer = publisher.issuer
    first, second = workers(), workers()
    first.start()
    await ready(first)
    second.start()

    async def joined() -> bool:
        return bool(await holding(second)) and bool(await holding(first))

    await eventually("both hold partitions", joined)
    await load(publisher, 100, "both")
    first.pause()
    await load(publisher, 100, "paused")
    assert await table_of(second, publisher) == issuer.table.pack()
    first.resume()
    await load(publisher, 100, "resumed")
    await eventually("both hold partitions again", joined)
    assert await table_of(first, publisher) == issuer.table.pack()

    # What the changelog holds after that is what a newcomer recovers.
    first.kill()
    second.kill()
    third = workers()
    third.start()
    assert await table_of(third, publisher) == issuer.table.pack()


async def test_records_that_were_acknowledged_unseen_are_read_all_the_same(
    kafka: str, publisher: Publisher, worker: Worker
) -> None:
    issuer, topics = publisher.issuer, publisher.topics
    await load(publisher, 30, "before")
    assert await table_of(worker, publisher) == issuer.table.pack()
    worker.stop()
    await load(publisher, 30, "unseen")

    # Faust acknowledges what it fetched for an assignment that is over, without handing it to an agent.
    log = TopicPartition(topics.revocations, 0)
    async with AIOKafkaConsumer(bootstrap_servers=kafka, group_id=f"{topics.prefix}-streams") as consumer:
        consumer.assign([log])
        await consumer.commit({log: (await consumer.end_offsets([log]))[log]})
    worker.start()
    assert await table_of(worker, publisher) == issuer.table.pack()
