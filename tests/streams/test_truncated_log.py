"""Workers that need records which the log no longer has, on a real Kafka: they begin from a snapshot."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from revocast.dev.broker.topics import truncate
from tests.streams.harness import Publisher, Worker, eventually, ready, status_of, table_of

pytestmark = [pytest.mark.timeout(240), pytest.mark.long]


async def truncate_log(kafka: str, publisher: Publisher) -> None:
    """Delete the log up to the newest record, as the issuer does behind a countersigned snapshot."""
    await truncate(publisher.topics.revocations, kafka, len(publisher.issuer.log.messages))


async def history(publisher: Publisher, name: str) -> None:
    """Records, a snapshot of them that both sides signed, and some more records."""
    issuer = publisher.issuer
    for user in range(60):
        issuer.block(issuer.subject(f"{name}-{user}"))
    issuer.lift(issuer.subject(f"{name}-7"))
    issuer.snapshot()
    await publisher.checkpoint()


async def never_wrong(worker: Worker, publisher: Publisher, name: str) -> None:
    """Until it stands at the last record, it answers nothing, and never "not revoked"."""
    issuer = publisher.issuer
    fingerprint = issuer.name(issuer.subject(name))[0].hex()

    async def answered() -> bool:
        answer = await worker.get("/v1/lookup", fingerprint=fingerprint)
        assert answer.status_code in (200, 421, 503, 599)
        if answer.status_code == 200:
            assert answer.json()["rows"], "a revoked subject was answered as not revoked"
        return answer.status_code == 200

    await eventually(f"an answer for {name}", answered, worker)
    assert await table_of(worker, publisher) == issuer.table.pack()


async def test_a_new_app_id_begins_from_the_newest_snapshot_and_goes_on_with_the_log(
    kafka: str, publisher: Publisher, workers: Callable[[], Worker]
) -> None:
    issuer = publisher.issuer
    await history(publisher, "user")
    await truncate_log(kafka, publisher)
    worker = workers()
    worker.start()
    await never_wrong(worker, publisher, "user-3")
    assert "loading snapshot" in worker.log.read_text()

    for user in range(20):
        issuer.block(issuer.subject(f"later-{user}"))
    await publisher.checkpoint()
    assert await table_of(worker, publisher) == issuer.table.pack()
    worker.kill()
    worker.start()
    issuer.lift(issuer.subject("user-3"))
    await publisher.checkpoint()
    assert await table_of(worker, publisher) == issuer.table.pack()
    assert worker.log.read_text().count("loading snapshot") == 1


async def test_one_that_slept_longer_than_the_log_reaches_back_recovers_and_one_with_its_marks_needs_nothing(
    kafka: str, publisher: Publisher, worker: Worker
) -> None:
    issuer = publisher.issuer
    await history(publisher, "user")
    assert await table_of(worker, publisher) == issuer.table.pack()

    await truncate_log(kafka, publisher)
    worker.kill()
    worker.start()
    issuer.block(issuer.subject("while awake"))
    await publisher.checkpoint()
    assert await table_of(worker, publisher) == issuer.table.pack()
    assert "loading snapshot" not in worker.log.read_text()

    worker.stop()
    issuer.lift(issuer.subject("while awake"))
    await history(publisher, "slept")
    await truncate_log(kafka, publisher)
    issuer.block(issuer.subject("last"))
    await publisher.checkpoint()
    worker.start()
    await never_wrong(worker, publisher, "slept-3")
    assert "loading snapshot" in worker.log.read_text()


async def test_a_table_that_was_lost_is_filled_from_a_snapshot(
    kafka: str, publisher: Publisher, worker: Worker
) -> None:
    await history(publisher, "user")
    assert await table_of(worker, publisher) == publisher.issuer.table.pack()
    worker.stop()
    await truncate_log(kafka, publisher)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.delete_topics([f"{publisher.topics.prefix}-streams-buckets-changelog"])
    await admin.close()
    shutil.rmtree(Path(worker.environ["REVOCAST_STREAMS_DATADIR"]))
    worker.start()
    await never_wrong(worker, publisher, "user-3")


async def test_without_a_usable_snapshot_it_answers_nothing_until_there_is_one(
    kafka: str, publisher: Publisher, workers: Callable[[], Worker]
) -> None:
    issuer = publisher.issuer
    issuer.block(issuer.subject("alice"))
    issuer.write_snapshot()
    await publisher.checkpoint()
    await truncate_log(kafka, publisher)
    worker = workers()
    worker.start()

    async def told() -> bool:
        return "no snapshot is usable" in worker.log.read_text()

    await eventually("what is missing to be told", told, worker)
    assert (await worker.get("/readyz")).status_code == 503
    assert not (await status_of(worker))["snapshots"]["newest"]["countersigned"]

    issuer.countersign(issuer.snapshots.messages[-1])
    await publisher.publish()
    await ready(worker)
    assert await table_of(worker, publisher) == issuer.table.pack()
