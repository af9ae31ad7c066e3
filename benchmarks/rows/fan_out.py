"""Acknowledged revoke → refused in 1, 10 and 100 guards, on one broker and on three, beside as many bare consumers."""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.benchmark import Benchmark, Run
from benchmarks.peers.crowd import crowd
from benchmarks.peers.issuer import Issuer, running_issuer
from benchmarks.staging import producing
from revocast.dev.broker import Broker, running_broker
from revocast.dev.broker.topics import create_topic
from revocast.dev.demo.deployment import AUDIENCE
from revocast.dev.demo.stage import claims_of

__all__ = ["BENCHMARK"]

_PROCESSES = {1: 1, 10: 2, 100: 4}
_BROKERS = {1: "one broker", 3: "three brokers"}
_BARE, _BARE_ACKNOWLEDGED = "bare Kafka, sent → consumed", "bare Kafka, acknowledged → consumed"
_ACKNOWLEDGED, _CALLED = "acknowledged → refused", "revoke called → refused"
_TOPIC = "bench.bare"


def measure(run: Run) -> None:
    """A cluster after the other, and on each ever more readers."""
    for nodes in _BROKERS:
        with running_broker(nodes, own=True, progress=run.say) as broker:
            asyncio.run(
                create_topic(
                    _TOPIC, broker.bootstrap, {"min.insync.replicas": str(min(2, nodes))}, nodes=nodes
                )
            )
            with running_issuer(run, broker) as issuer:
                for readers in _PROCESSES:
                    _measure(run, broker, issuer, readers)


def _measure(run: Run, broker: Broker, issuer: Issuer, readers: int) -> None:
    samples = run.pick(3, {1: 100, 10: 50, 100: 25}[readers], {1: 500, 10: 300, 100: 150}[readers])
    title = _title(readers, broker.nodes)
    run.say(title)
    group = run.group(title, "ms", baselines=(_BARE,), tail=True)
    with tempfile.TemporaryDirectory() as folder:
        from_ack, from_call = _bare(broker, readers, samples, Path(folder))
        group.peer(_BARE, from_call)
        group.peer(_BARE_ACKNOWLEDGED, from_ack)
        acknowledged, called = _revocations(broker, issuer, readers, samples, Path(folder))
    group.ours(_ACKNOWLEDGED, acknowledged)
    group.ours(_CALLED, called)


def _bare(broker: Broker, readers: int, samples: int, folder: Path) -> tuple[list[float], list[float]]:
    settings = {"kafka": broker.bootstrap, "topic": _TOPIC}
    acknowledged: list[float] = []
    called: list[float] = []

    async def send() -> None:
        async with producing(broker.bootstrap) as producer:
            for number in range(samples + 1):
                # Whoever asks waits in a thread: the producer's own work must not wait for the answer.
                await asyncio.to_thread(consumers.arm, "")
                before = time.monotonic()
                await producer.send_and_wait(_TOPIC, b"x" * 600, partition=0)
                after = time.monotonic()
                times = await asyncio.to_thread(consumers.times)
                if number:  # the first one waits for connections
                    acknowledged.extend((at - after) * 1000 for at in times)
                    called.extend((at - before) * 1000 for at in times)

    with crowd("consumers", readers, _PROCESSES[readers], folder, settings) as consumers:
        asyncio.run(send())
    return acknowledged, called


def _revocations(
    broker: Broker, issuer: Issuer, readers: int, samples: int, folder: Path
) -> tuple[list[float], list[float]]:
    deployment = issuer.deployment
    guard: dict[str, Any] = {
        "issuer": deployment.issuer_url,
        "audience": AUDIENCE,
        "kafka": broker.bootstrap,
        "root": deployment.root,
        "prefix": deployment.prefix,
    }
    acknowledged: list[float] = []
    called: list[float] = []
    with crowd("guards", readers, _PROCESSES[readers], folder, {"guard": guard}) as guards:
        for number in range(samples + 1):
            token = issuer.mint("grace")
            guards.arm(token)
            before = time.monotonic()
            issuer.revoke("token", claims_of(token)["jti"])
            after = time.monotonic()
            times = guards.times()
            if number:
                acknowledged += [(at - after) * 1000 for at in times]
                called += [(at - before) * 1000 for at in times]
    return acknowledged, called


def _title(readers: int, nodes: int) -> str:
    return f"{readers} guard{'s' * (readers > 1)}, {_BROKERS[nodes]}"


BENCHMARK = Benchmark(
    name="fan_out",
    title="Propagation",
    about=(
        "One revocation after the other at the real issuer, over HTTP, while every guard knows the token as good; the time at which each guard "
        "refuses it, taken in its process when the record has been applied. Below zero: it refused before the answer was here, for the "
        "issuer answers when Kafka has acknowledged. Beside: as many bare `aiokafka` consumers, one record of 600 bytes after the other, "
        "acknowledged by all replicas, in the same processes. 10 readers share 2 processes, 100 share 4, and all of it shares this machine."
    ),
    measure=measure,
    limit_s=240,
)
