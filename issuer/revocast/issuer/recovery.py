"""`revocast recover`: a database that was restored to an earlier moment learns from Kafka what was published since.

* Nothing is published here, and no relay publishes meanwhile: this holds the relay's seat.
* Everything is judged by the reader's own rules before it is believed; see `authority.recovery`, `authority.key_recovery`.
* The log comes in batches, each a transaction that leaves the database at a record of the log; keys, and whatever else is to
  be written, come last, in one. Until then Kafka is ahead of the database, so a relay that starts refuses. Whoever interrupts
  this runs it again, and it goes on where it was.
* Records of this database that nobody has seen (`pending` when it was copied, or written since) and that the log has
  otherwise are taken back and written again behind those of the log, all in the last transaction.
* A log that was truncated beyond the database begins with a record that does not follow. Then the newest countersigned snapshot
  whose chunks are all on the topic, and right, takes the table's place, and the log goes on from it; all of that in the last
  transaction, too. Without one, what lies between is lost, and only a new epoch can follow.
* A signed record of this database that the log has otherwise is a fork. Nothing resolves it but a new epoch, which re-issues
  this database's live set. `take_log` joins the log's other revocations into that first. Its lifts are not taken: a
  revocation too many can be lifted, one too few lets a stolen token in.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import IO, Final

from revocast.issuer.authority.recovered import Recovered
from revocast.issuer.authority.recovery import Signed, believed
from revocast.issuer.clock import Clock, wall_clock
from revocast.issuer.errors import Conflict
from revocast.issuer.keystore import KeyStore
from revocast.issuer.recovery_desk import RecoveryDesk, TakenSnapshot
from revocast.issuer.relay.election import Election, election_for
from revocast.issuer.relay.log_tail import claimed_number
from revocast.issuer.relay.reading import Consumers, PartitionReader
from revocast.issuer.relay.snapshot_topic import Held, SnapshotTopic
from revocast.issuer.storage import Storage
from revocast.schemas.row import ROW_SIZE
from revocast.schemas.settings import KafkaSettings
from revocast.schemas.snapshot import Manifest

__all__ = ["Progress", "recover"]

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
            log = PartitionReader(consumers, kafka.topics.revocations)
            await _find_beginning(desk, log, consumers, kafka, stack)
            await _read_log(desk, log, progress)
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
    consumers = Consumers.of(kafka)
    for consumer in (consumers.reading, consumers.asking):
        stack.push_async_callback(consumer.stop)
        await consumer.start()
    consumers.assign(kafka.topics.keys, kafka.topics.revocations)
    return consumers


async def _read_keys(desk: RecoveryDesk, reader: PartitionReader, progress: Progress) -> None:
    first, end = await reader.bounds()
    reader.seek(first)
    while reader.next_offset < end:
        for record in await reader.read():
            desk.documents.receive(record.value, record.offset)
        progress("keys", reader.next_offset - first, end - first)
    desk.documents_read()


async def _find_beginning(
    desk: RecoveryDesk,
    log: PartitionReader,
    consumers: Consumers,
    kafka: KafkaSettings,
    stack: AsyncExitStack,
) -> None:
    first = await _first_record(desk, log)
    if first is None or not desk.is_truncated(first):
        return
    consumers.assign(kafka.topics.revocations, kafka.topics.snapshots)
    snapshots = SnapshotTopic(PartitionReader(consumers, kafka.topics.snapshots))
    held = await snapshots.read_all(desk.documents.trust)
    file = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
    for manifest in sorted(held.manifests.values(), key=lambda each: (each.epoch, each.n), reverse=True):
        if manifest.epoch == first.record.epoch and manifest.n >= first.record.n:
            file.seek(0)
            if await _all_chunks(snapshots, held, manifest, file):
                desk.log_begins(first, TakenSnapshot(manifest, partial(_pieces, manifest, file)))
                return


async def _first_record(desk: RecoveryDesk, log: PartitionReader) -> Signed | None:
    first, end = await log.bounds()
    log.seek(first)
    while log.next_offset < end:
        for record in await log.read():
            if found := believed(record.value, record.offset, desk.documents.trust):
                return found
    return None


async def _all_chunks(snapshots: SnapshotTopic, held: Held, manifest: Manifest, file: IO[bytes]) -> bool:
    for chunk in manifest.chunks:
        rows = await snapshots.chunk_held(held, chunk)
        if rows is None:
            return False
        file.write(rows)
    return True


def _pieces(manifest: Manifest, file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    for chunk in manifest.chunks:
        yield file.read(chunk.rows * ROW_SIZE)


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
