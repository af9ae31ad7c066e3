"""Reading the whole log, from nothing: what a guard's start costs without snapshot and local copy."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.benchmark import Benchmark, Run
from benchmarks.staging import producing, publish
from benchmarks.turns import Seconds
from revocast.dev.broker import running_broker
from revocast.dev.broker.topics import create_topics
from revocast.schemas.topics import Topics
from revocast.sdk import Guard
from revocast.sdk.core import Received
from revocast.sdk.freshness import Topic
from revocast.testing import Authority, Delivery, core_for

__all__ = ["BENCHMARK"]

_BARE, _KTABLES = "aiokafka: consume all", "ktables: start to caught up"
_CORE, _GUARD = "guard's core, bytes in memory", "guard: start to ready"


def measure(run: Run) -> None:
    """Two shapes of the same log: a revocation a record, and a thousand."""
    shapes = ((1, run.pick(300, 5_000, 50_000)), (1000, run.pick(5, 100, 1000)))
    with running_broker(own=True, progress=run.say) as broker:
        for rows, records in shapes:
            _measure(run, broker.bootstrap, rows, records)


def _measure(run: Run, kafka: str, rows: int, records: int) -> None:
    authority = Authority(now=int(time.time()))
    for number in range(records):
        selectors = [authority.subject(f"{number}/{row}") for row in range(rows)]
        authority.append([authority.block_row(selector) for selector in selectors])
    authority.checkpoint()
    topics = Topics(f"bench-{rows}")
    asyncio.run(_stage(authority, topics, kafka))
    peers: dict[str, Callable[[], object]] = {
        _BARE: lambda: asyncio.run(_consume(kafka, topics.revocations)),
        _KTABLES: lambda: asyncio.run(_ktables(kafka, topics.revocations, len(authority.log))),
    }
    try:
        import ktables
    except ImportError:
        del peers[_KTABLES]
        run.note("ktables is not installed")
    else:
        del ktables
    group = run.group(f"{records:,} records of {rows:,} row{'s' * (rows > 1)}", "ms", baselines=(_BARE,))
    group.take_turns(
        peers,
        {_CORE: _core(authority), _GUARD: lambda: asyncio.run(_guard(authority, topics, kafka))},
        rounds=run.pick(2, 4, 9),
        scale=1e3,
    )
    if rows > 1:
        run.profile_of(_core(authority))


async def _stage(authority: Authority, topics: Topics, kafka: str) -> None:
    await create_topics(topics, kafka)
    async with producing(kafka) as producer:
        await publish(authority, topics, producer)


async def _timed(work: Callable[[], Awaitable[object]]) -> Seconds:
    started = time.perf_counter()
    await work()
    return Seconds(time.perf_counter() - started)


async def _consume(kafka: str, topic: str) -> Seconds:
    """Assigned by hand and read to the end, as the guard does; nothing is done with the records."""
    partition = TopicPartition(topic, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=None, auto_offset_reset="earliest")

    async def read() -> None:
        await consumer.start()
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        while await consumer.position(partition) < end:
            await consumer.getmany(partition, timeout_ms=1000)

    try:
        return await _timed(read)
    finally:
        await consumer.stop()


async def _ktables(kafka: str, topic: str, records: int) -> Seconds:
    """The log as a table of its records: `ktables` verifies nothing, and would hold one row a key."""
    from ktables import KafkaTable

    make: Any = KafkaTable
    table = make(connection=kafka, topic=topic, value_decoder=bytes, ensure_topic=False)
    try:
        taken = await _timed(table.start)
        assert len(table) == records
        return taken
    finally:
        await table.stop()


def _core(authority: Authority) -> Callable[[], None]:
    received = [Received(message.offset, message.value) for message in authority.log]

    def read() -> None:
        core = core_for(authority)
        delivery = Delivery(authority, core)
        delivery.feed(Topic.KEYS)
        core.receive(Topic.LOG, received, delivery.now)

    return read


async def _guard(authority: Authority, topics: Topics, kafka: str) -> Seconds:
    with tempfile.TemporaryDirectory() as folder:
        guard = Guard(
            authority.issuer,
            authority.audience,
            kafka,
            authority.pin,
            prefix=topics.prefix,
            state_dir=folder,
            startup_timeout=300,
        )
        taken = await _timed(guard.start)
        try:
            assert guard.table()[1] == authority.table.pack()
        finally:
            await guard.stop()
        return taken


BENCHMARK = Benchmark(
    name="replay",
    title="Replay of the log",
    about=(
        "From nothing to current, by reading every record on one broker. Bare `aiokafka` consumes the records and does nothing with them; "
        "`ktables` puts them into a dict by key, and verifies nothing. The guard verifies every signature and the chain, and builds the deny-list, "
        "which is checked to be the authority's to the byte."
    ),
    measure=measure,
    limit_s=180,
)
