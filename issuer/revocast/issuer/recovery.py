"""`revocast recover`: a database that was restored to an earlier moment learns from Kafka what was published since.

* Nothing is published here, and no relay publishes meanwhile: this holds the relay's seat.
* Everything is judged by the reader's own rules before it is believed; see `authority.recovery`, `authority.key_recovery`.
* The log comes in batches, each a transaction that leaves the database at a record of the log; keys, and whatever else is to
  be written, come last, in one. Until then Kafka is ahead of the database, so a relay that starts refuses. Whoever interrupts
  this runs it again, and it goes on where it was.
* Records of this database that nobody has seen (`pending` when it was copied, or written since) and that the log has
  otherwise are taken back and written again behind those of the log, all in the last transaction.
* A signed record of this database that the log has otherwise is a fork. Nothing resolves it but a new epoch, which re-issues
  this database's live set. `take_log` joins the log's other revocations into that first. Its lifts are not taken: a
  revocation too many can be lifted, one too few lets a stolen token in.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from revocast.issuer.authority.recovered import Recovered
from revocast.issuer.clock import Clock, wall_clock
from revocast.issuer.errors import Conflict
from revocast.issuer.keystore import KeyStore
from revocast.issuer.recovery_desk import RecoveryDesk
from revocast.issuer.relay.election import Election, election_for
from revocast.issuer.relay.log_tail import claimed_number
from revocast.issuer.relay.reading import Consumers, PartitionReader
from revocast.issuer.storage import Storage
from revocast.schemas.settings import KafkaSettings

__all__ = ["Progress", "recover"]

_REQUEST_MS: Final = 10_000
_SEAT_S: Final = 3.0
_SEAT_EVERY_S: Final = 0.1

Progress = Callable[[str, int, int], None]
"""Told of a topic, how many of its records were read, and how many there are."""


async def recover(
    storage: Storage,
    keystore: KeyStore,
    kafka: KafkaSettings,
    *,
    dry_run: bool = False,
    take_log: bool = False,
    progress: Progress = lambda *_: None,
    clock: Clock = wall_clock,
) -> Recovered:
    """Take in what Kafka has and this database lacks; see the module. `dry_run` reads, counts and writes nothing.

    Raises `Conflict` while an issuer holds the relay's seat, `LogMismatch` for records of a newer release, `KafkaError`.
    """
    started, election = time.monotonic(), election_for(storage)
    try:
        await _take_seat(election)
        async with AsyncExitStack() as stack:
            consumers = await _consumers(stack, kafka)
            desk = await asyncio.to_thread(
                RecoveryDesk, storage, keystore, clock, dry_run=dry_run, take_log=take_log
            )
            await _read_keys(desk, PartitionReader(consumers, kafka.topics.keys), progress)
            await _read_log(desk, PartitionReader(consumers, kafka.topics.revocations), progress)
            await election.check()
            account = await asyncio.to_thread(desk.finish)
            return replace(account, seconds=time.monotonic() - started)
    finally:
        await election.resign()


async def _take_seat(election: Election) -> None:
    # PostgreSQL lets go of a process's lock a moment after the process has ended.
    deadline = time.monotonic() + _SEAT_S
    while not await election.stand():
        if time.monotonic() > deadline:
            raise Conflict("an issuer publishes from this database, or would; stop every issuer first")
        await asyncio.sleep(_SEAT_EVERY_S)


async def _consumers(stack: AsyncExitStack, kafka: KafkaSettings) -> Consumers:
    options: dict[str, Any] = {**kafka.client_options(), "request_timeout_ms": _REQUEST_MS}
    options |= {"enable_auto_commit": False, "auto_offset_reset": "earliest", "group_id": None}
    consumers = Consumers(AIOKafkaConsumer(**options), AIOKafkaConsumer(**options))
    for consumer in (consumers.reading, consumers.asking):
        stack.push_async_callback(consumer.stop)
        await consumer.start()
    topics = (kafka.topics.keys, kafka.topics.revocations)
    consumers.reading.assign([TopicPartition(topic, 0) for topic in topics])
    return consumers


async def _read_keys(desk: RecoveryDesk, reader: PartitionReader, progress: Progress) -> None:
    first, end = await reader.bounds()
    reader.seek(first)
    while reader.next_offset < end:
        for record in await reader.read():
            desk.documents.receive(record.value, record.offset)
        progress("keys", reader.next_offset - first, end - first)
    desk.documents_read()


async def _read_log(desk: RecoveryDesk, reader: PartitionReader, progress: Progress) -> None:
    first, end = await reader.bounds()
    reader.seek(first)
    while reader.next_offset < end:
        records = [
            (claimed_number(record.key), record.value, record.offset) for record in await reader.read()
        ]
        await asyncio.to_thread(lambda: desk.take(desk.judge(records)))  # noqa: B023 - awaited in this turn
        progress("log", reader.next_offset - first, end - first)
    await asyncio.to_thread(desk.log_read)
