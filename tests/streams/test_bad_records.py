"""Records that nobody should believe, on every control topic: told once, counted, and without effect."""

import json

import pytest

from revocast.schemas.jose import PrivateKey
from revocast.schemas.topics import FRAME_PARTITIONS
from revocast.streams.frames import Mark, encode, frames_of
from revocast.testing import Message
from tests.streams.harness import Publisher, Worker, eventually, ready, records_of, status_of, table_of

pytestmark = pytest.mark.timeout(240)


async def test_bad_records_are_dead_lettered_and_audited_and_change_nothing(
    kafka: str, publisher: Publisher, worker: Worker
) -> None:
    issuer, topics = publisher.issuer, publisher.topics
    alice = issuer.subject("alice")
    block, lift = issuer.block(alice), issuer.lift(alice)
    issuer.block(alice)
    await publisher.checkpoint()
    stranger = PrivateKey.generate()
    record, _ = issuer.sign_next()
    bad: dict[str, list[bytes | None]] = {
        topics.revocations: [
            issuer.sign(record, stranger),
            issuer.sign(record, issuer.active),
            issuer.log.messages[-1].value[:-4] + b"AAAA",  # type: ignore[index]
            b"not a token",
            b"x" * 200_000,
            None,
        ],
        topics.keys: [issuer.keys.messages[-1].value[:-4] + b"AAAA", b"{}", None],  # type: ignore[index]
        topics.checkpoints: [
            issuer.checkpoints.messages[-1].value[:-4] + b"AAAA",  # type: ignore[index]
            b"\xff\xfe",
            None,
        ],
    }
    places = {}
    for topic, values in bad.items():
        for value in values:
            offset = await publisher.send(topic, Message(0, b"key", value))
            places[f"{topic}/0/{offset}"] = (value or b"")[: 64 * 1024]
    # Replays: genuine, and old.
    for message in (block, lift):
        await publisher.send(topics.revocations, message)
    await publisher.send(topics.keys, issuer.keys.messages[0])
    await publisher.send(topics.checkpoints, issuer.checkpoints.messages[0])
    await publisher.checkpoint()

    assert await table_of(worker, publisher) == issuer.table.pack()
    assert len(issuer.table) == 1

    async def told() -> bool:
        return len(await records_of(kafka, topics.dead_letters)) >= len(places)

    await eventually("all dead letters", told)
    letters = {letter.key.decode(): letter for letter in await records_of(kafka, topics.dead_letters)}
    assert {place: letter.value for place, letter in letters.items()} == places
    for place, letter in letters.items():
        headers = {name: value.decode() for name, value in letter.headers}
        assert place == f"{headers['topic']}/{headers['partition']}/{headers['offset']}"
        assert headers["reason"]

    async def audited() -> list[str]:
        events = [json.loads(event.value) for event in await records_of(kafka, topics.audit, 3)]
        subjects = [event["subject"] for event in events if event["type"] == "revocast.record.rejected"]
        return subjects if len(subjects) >= len(places) else []

    assert sorted(await eventually("all audit events", audited)) == sorted(places)
    outcomes = (await status_of(worker))["outcomes"]
    assert outcomes[topics.revocations]["replay"] == 2
    assert outcomes[topics.keys]["replay"] == 1
    assert outcomes[topics.checkpoints]["replay"] >= 1  # Two checkpoints in one second are one.
    assert outcomes[topics.revocations]["rejected"] == 6

    worker.stop()
    worker.start()
    await publisher.checkpoint()
    assert await table_of(worker, publisher) == issuer.table.pack()
    assert len(await records_of(kafka, topics.dead_letters)) == len(places), "told again after a restart"


async def test_a_record_whose_key_arrives_later_is_applied_then(publisher: Publisher, worker: Worker) -> None:
    issuer, topics = publisher.issuer, publisher.topics
    await ready(worker)
    issuer.rotate_event_key()
    issuer.block(issuer.subject("alice"))
    *_, record = issuer.log.messages
    # The keys stand in Kafka before the record, as the issuer writes them; the worker has not read them yet.
    await publisher.checkpoint()
    assert record.value is not None
    assert await table_of(worker, publisher) == issuer.table.pack()
    assert "rejected" not in (await status_of(worker))["outcomes"][topics.revocations]


async def test_a_partition_that_misses_frames_gets_them_from_the_log_again(
    publisher: Publisher, worker: Worker
) -> None:
    issuer, topics = publisher.issuer, publisher.topics
    frames = f"{topics.prefix}-streams-frames"
    for user in range(40):
        issuer.block(issuer.subject(f"user-{user}"))
    await publisher.publish()
    await ready_but_for_checkpoint(worker)
    worker.kill()
    # What a lost delivery looks like: the frame of the last record is there, those before it are not.
    for user in range(40, 60):
        issuer.block(issuer.subject(f"user-{user}"))
    await publisher.publish()
    record, value = issuer.sign_next((issuer.block_row(issuer.subject("last")),))
    issuer.append(record.rows)
    assert issuer.log.messages[-1].value == value
    offset = issuer.log.messages[-1].offset
    mark = Mark(record.epoch, record.n, record.t, offset, issuer.position.hash)
    for partition in range(FRAME_PARTITIONS):
        await publisher.send_to(frames, partition, encode([frames_of(record, mark)[partition]]))
    await publisher.publish()
    worker.start()
    await publisher.checkpoint()
    assert await table_of(worker, publisher) == issuer.table.pack()
    assert "misses frames" in worker.log.read_text()


async def ready_but_for_checkpoint(worker: Worker) -> None:
    """Wait until the worker has some place."""

    async def placed() -> bool:
        return bool((await status_of(worker)).get("at"))

    await eventually("a place", placed)
