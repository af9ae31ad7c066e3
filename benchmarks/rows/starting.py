"""From nothing to ready with many live rows: from the local copy, from a snapshot on the broker, and by replaying the log."""

import asyncio
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from aiokafka import AIOKafkaProducer

from benchmarks.benchmark import Benchmark, Run, Target
from benchmarks.turns import Seconds
from revocast.dev.broker import running_broker
from revocast.dev.broker.topics import create_topics, truncate
from revocast.schemas.chunks import cut_chunks
from revocast.schemas.events import Envelope
from revocast.schemas.record import MAX_ROWS
from revocast.schemas.row import ROW_SIZE, Row
from revocast.schemas.rows import Rows
from revocast.schemas.topics import Topics
from revocast.sdk import Guard
from revocast.testing import Authority, InMemoryLog, Message

__all__ = ["BENCHMARK", "Large", "stage_large"]

_REPLAY, _SNAPSHOT, _COPY = "replay of the log", "snapshot on the broker", "local copy"
_BUCKETS = 1 << 16


class Large:
    """A deployment with so many live rows on a broker: under `log` the whole log, under `cut` a snapshot and a log that begins behind it."""

    def __init__(self, kafka: str, rows: int) -> None:
        self.kafka = kafka
        self.rows = rows
        self.authority = Authority(now=int(time.time()))
        self.whole, self.cut = Topics("bench-whole"), Topics("bench-cut")

    def guard(self, topics: Topics, folder: Path | str) -> Guard:
        """A service's guard, with a folder of its own to remember things in."""
        authority = self.authority
        return Guard(
            authority.issuer,
            authority.audience,
            self.kafka,
            authority.pin,
            prefix=topics.prefix,
            state_dir=folder,
            startup_timeout=600,
        )


async def stage_large(kafka: str, rows: int) -> Large:
    """Put it all on the broker."""
    large = Large(kafka, rows)
    authority, buckets = large.authority, list(_buckets(rows, large.authority.now + 86_400))
    for topics in (large.whole, large.cut):
        await create_topics(topics, kafka)
    async with AIOKafkaProducer(
        bootstrap_servers=kafka, acks="all", enable_idempotence=True, max_request_size=1_100_000
    ) as producer:

        async def send(topic: str, log: InMemoryLog) -> None:
            for message in log:
                await producer.send(topic, message.value, key=message.key, partition=0)
            await producer.flush()

        await send(large.whole.revocations, authority.log)
        table = b"".join(packed for _, packed in buckets)
        for start in range(0, len(table), MAX_ROWS * ROW_SIZE):
            message = _append(authority, table[start : start + MAX_ROWS * ROW_SIZE])
            await producer.send(large.whole.revocations, message.value, key=message.key, partition=0)
        del table
        cut = _append(authority, b"", cut=True)
        authority.checkpoint()
        await producer.send(large.whole.revocations, cut.value, key=cut.key, partition=0)
        await producer.send(large.cut.revocations, cut.value, key=cut.key, partition=0)
        at_zero = Message(0, cut.key, cut.value)
        manifest = authority.manifest_of(at_zero, cut_chunks(buckets))
        authority.countersign(
            authority.snapshots.append(manifest.key, authority.sign(manifest, authority.snapshot_key))
        )
        for topics in (large.whole, large.cut):
            await send(topics.keys, authority.keys)
            await send(topics.checkpoints, authority.checkpoints)
        await send(large.cut.snapshots, authority.snapshots)
    await truncate(large.cut.revocations, kafka, 1)
    authority.snapshots = InMemoryLog()
    return large


def _append(authority: Authority, packed: bytes, *, cut: bool = False) -> Message:
    # As `Authority.append`, without the table in memory: ten million rows as objects take gigabytes.
    record = authority.position.next_record(
        Rows(packed), authority.now, delegations=authority.delegations, key_set=authority.key_set, cut=cut
    )
    value = authority.sign(record)
    authority.position = authority.position.after(record, Envelope.parse(value).hash)
    return Message(record.n - 1, record.key, value)


def _buckets(rows: int, expires_at: int) -> Iterator[tuple[int, bytes]]:
    draw = random.Random(1)
    rest = Row.for_block(bytes(11), 1, expires_at).pack()[11:]
    for bucket in range(_BUCKETS):
        count = rows * (bucket + 1) // _BUCKETS - rows * bucket // _BUCKETS
        drawn, first = draw.randbytes(9 * count), bucket.to_bytes(2)
        names = sorted(first + drawn[start : start + 9] for start in range(0, 9 * count, 9))
        yield bucket, b"".join(name + rest for name in names)


def measure(run: Run) -> None:
    """Ten million rows are read from a snapshot even when time is short; then a replay of so many is left for the long run."""
    million = (1_000_000, True, 3)
    for rows, replay, rounds in run.pick(
        ((20_000, True, 2),), (million, (10_000_000, False, 3)), (million, (10_000_000, True, 3))
    ):
        run.say(f"{rows:,} rows")
        with running_broker(own=True, progress=run.say) as broker, tempfile.TemporaryDirectory() as folder:
            _measure(run, asyncio.run(stage_large(broker.bootstrap, rows)), folder, rounds, replay=replay)


def _measure(run: Run, large: Large, folder: str, rounds: int, *, replay: bool) -> None:
    asyncio.run(_start(large, large.cut, folder, "snapshot"))  # leaves the local copy
    group = run.group(f"{large.rows:,} rows", "ms", baselines=(_REPLAY, _SNAPSHOT))
    group.take_turns(
        {_REPLAY: _cold(large, large.whole, "log")} if replay else {},
        {
            _SNAPSHOT: _cold(large, large.cut, "snapshot"),
            _COPY: lambda: asyncio.run(_start(large, large.cut, folder, "local copy")),
        },
        rounds=rounds,
        scale=1e3,
    )


def _cold(large: Large, topics: Topics, origin: str) -> Callable[[], Seconds]:
    def start() -> Seconds:
        with tempfile.TemporaryDirectory() as empty:
            return asyncio.run(_start(large, topics, empty, origin))

    return start


async def _start(large: Large, topics: Topics, folder: str, origin: str) -> Seconds:
    guard, started = large.guard(topics, folder), time.perf_counter()
    await guard.start()
    taken = Seconds(time.perf_counter() - started)
    health = guard.health()
    await guard.stop()
    assert (health.origin, health.rows) == (origin, large.rows)
    return taken


BENCHMARK = Benchmark(
    name="starting",
    title="Start",
    about=(
        "From `guard.start()` to ready, on one broker. The snapshot is read into an empty folder; its chunks, signatures and order are checked. "
        "The local copy is the file that a guard before left, of which every byte is checked. The replay verifies every record of the whole log, "
        "a thousand rows each."
    ),
    measure=measure,
    targets=(
        Target("ready in 2 s from a snapshot", "10,000,000 rows", _SNAPSHOT, at_most=2000),
        Target("ready in 0.1 s from the local copy", "10,000,000 rows", _COPY, at_most=100),
    ),
    limit_s=240,
    full_limit_s=1800,
)
