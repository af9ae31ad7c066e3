"""A file of a million tokens: from the command until a running guard refuses them all."""

import asyncio
import json
import resource
import tempfile
import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.benchmark import Benchmark, Run, Target
from benchmarks.peers.crowd import crowd
from benchmarks.peers.issuer import Issuer, running_issuer
from benchmarks.peers.stores import redis_server
from benchmarks.processor import seconds_of
from benchmarks.staging import producing
from revocast.dev.broker import running_broker
from revocast.dev.broker.topics import create_topic
from revocast.dev.demo.deployment import AUDIENCE
from revocast.dev.demo.stage import claims_of
from revocast.schemas.record import MAX_ROWS

__all__ = ["BENCHMARK"]

_MILLION = 1_000_000
_FILE, _BARE, _REDIS = (
    "revocast revoke-many, all refused",
    "bare Kafka, as many bytes consumed",
    "Redis, MSET",
)
_TOPIC = "bench.bare"
_ROW_BYTES = 27  # of a row of 20 bytes, in base64url


def measure(run: Run) -> None:
    """Once: it takes as long as all the rounds of another row."""
    count = run.pick(2_000, _MILLION, _MILLION)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(running_broker(own=True, progress=run.say))
        issuer = stack.enter_context(running_issuer(run, broker))
        deployment = issuer.deployment
        guard: dict[str, Any] = {
            "issuer": deployment.issuer_url,
            "audience": AUDIENCE,
            "kafka": broker.bootstrap,
            "root": deployment.root,
            "prefix": deployment.prefix,
        }
        group = run.group(f"{count:,} tokens", "s", baselines=(_BARE, _REDIS))
        group.peer(_REDIS, [_redis(count)])
        group.peer(_BARE, [asyncio.run(_bare(broker.bootstrap, count))])
        with crowd("guards", 1, 1, folder, {"guard": guard}) as guards:
            issuer_pid, (guard_pid,) = deployment.issuer_pid, guards.pids
            before = (seconds_of(issuer_pid), seconds_of(guard_pid), _of_children())
            group.ours(_FILE, [_file(issuer, guards, folder, count)])
            after = (seconds_of(issuer_pid), seconds_of(guard_pid), _of_children())
        spent = run.group(f"{count:,} tokens: where the time goes", "s of processor time")
        for who, then, now in zip(("issuer", "guard", "revoke-many"), before, after, strict=True):
            spent.ours(who, [now - then])


def _file(issuer: Issuer, guards: Any, folder: Path, count: int) -> float:
    """The log is in one order: who refuses what was revoked behind the file has applied the file."""
    named, behind = issuer.mint("named"), issuer.mint("behind")
    jtis = [str(uuid.uuid4()) for _ in range(count - 1)]
    jtis.insert(count // 2, claims_of(named)["jti"])
    path = folder / "jtis.txt"
    path.write_text("".join(f"{jti}\n" for jti in jtis))
    guards.arm(named)
    started = time.monotonic()
    told = issuer.deployment.run("revoke-many", str(path), "--yes", "--json")
    assert json.loads(told)["rows"] == count, told
    assert len(guards.times()) == 1
    guards.arm(behind)
    issuer.revoke("token", claims_of(behind)["jti"])
    return float(guards.times()[0]) - started


def _of_children() -> float:
    """Of commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _redis(count: int) -> float:
    import redis

    with redis_server() as port:
        client: Any = redis.Redis(port=port)
        jtis = [f"revoked:{uuid.uuid4()}" for _ in range(count)]
        started = time.monotonic()
        for start in range(0, count, MAX_ROWS):
            client.mset(dict.fromkeys(jtis[start : start + MAX_ROWS], b"1"))
        taken = time.monotonic() - started
        client.close()
    return taken


async def _bare(kafka: str, count: int) -> float:
    """As many records and bytes as the file becomes, from the first one sent to the last one consumed."""
    await create_topic(_TOPIC, kafka)
    partition = TopicPartition(_TOPIC, 0)
    records = -(-count // MAX_ROWS)

    async def consume(consumer: AIOKafkaConsumer) -> None:
        for _ in range(records):
            await consumer.getone()

    async with (
        AIOKafkaConsumer(bootstrap_servers=kafka, group_id=None, auto_offset_reset="earliest") as consumer,
        producing(kafka) as producer,
    ):
        consumer.assign([partition])
        reading = asyncio.create_task(consume(consumer))
        started = time.monotonic()
        for _ in range(records):
            await producer.send_and_wait(_TOPIC, b"x" * _ROW_BYTES * MAX_ROWS, partition=0)
        await reading
        return time.monotonic() - started


BENCHMARK = Benchmark(
    name="bulk",
    title="A file of revocations",
    about=(
        "A file of `jti`s through `revocast revoke-many` to the real issuer (SQLite) and over Kafka into a guard in a process of its own, from the start of the "
        "command until that guard refuses a token that was revoked behind the file: the log is in one order, so by then all of the file is in force. Beside: as many "
        "bytes through bare Kafka, and as many keys into Redis, which is neither signed, nor written to a disk, nor looked for duplicates."
    ),
    measure=measure,
    targets=(
        Target(
            "a million tokens are revoked and refused within 10 s", f"{_MILLION:,} tokens", _FILE, at_most=10
        ),
    ),
    tried=(
        "SQLite takes a record's rows in one statement of JSON, not row by row: kept. A larger page cache, rarer checkpoints of its journal, a table without rowid: no gain, or slower.",
        "Lines of one manner are read, fingerprinted and packed a window at a time, without an object each: kept. Windows of 200,000 lines: not worth their memory.",
        "A guard puts its merges off while thousands of rows a second come: kept; before, it merged thirty times on the way.",
        "Command, issuer, Kafka and guard are four processes, and this machine has two cores: their processor time is the bound.",
    ),
    limit_s=180,
)
