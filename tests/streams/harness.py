"""A signed history on a real Kafka, workers as processes, and waiting for what they do."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from revocast.schemas.topics import Topics
from revocast.testing import Authority, InMemoryLog, Message

DEADLINE_SECONDS = 30.0
PLACE = "Revocast-Place"


class Publisher:
    """An in-memory issuer whose logs go to a real Kafka, in their order."""

    def __init__(self, producer: AIOKafkaProducer, topics: Topics) -> None:
        self.issuer = Authority(now=int(time.time()))
        self.topics = topics
        self._producer = producer
        self._sent: dict[str, int] = {}

    async def publish(self) -> None:
        """Send what the issuer appended since the last call: keys, records, checkpoints, snapshots."""
        for topic, log in self._logs.items():
            for message in log.messages[self._sent.get(topic, 0) :]:
                await self.send(topic, message)
            self._sent[topic] = len(log.messages)

    async def checkpoint(self) -> None:
        """Publish everything, and a checkpoint of the end."""
        self.issuer.now = max(int(time.time()), self.issuer.now)
        self.issuer.checkpoint()
        await self.publish()

    async def send(self, topic: str, message: Message) -> int:
        """Send one record as it is; its offset."""
        sent = await self._producer.send_and_wait(topic, message.value, key=message.key)
        return int(sent.offset)

    async def send_to(self, topic: str, partition: int, value: bytes) -> None:
        """Send bytes to one partition of any topic."""
        await self._producer.send_and_wait(topic, value, key=b"%d" % partition, partition=partition)

    @property
    def _logs(self) -> dict[str, InMemoryLog]:
        issuer, topics = self.issuer, self.topics
        return {
            topics.keys: issuer.keys,
            topics.revocations: issuer.log,
            topics.checkpoints: issuer.checkpoints,
            topics.snapshots: issuer.snapshots,
        }


class Worker:
    """One streams worker in a process of its own."""

    def __init__(self, environ: dict[str, str], log: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        self.environ = environ
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, or start it again in the same folder."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "revocast.streams"], env=self.environ, stdout=output, stderr=output
            )

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self._signal(signal.SIGKILL)

    def pause(self) -> None:
        """Stop it where it stands: it does nothing, and does not know it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on, as if no time had passed."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """Ask it to stop; its exit status."""
        return self._signal(signal.SIGTERM)

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def _signal(self, number: int) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """Wait for its end; its exit status."""
        assert self._process is not None
        return self._process.wait(timeout=DEADLINE_SECONDS)

    async def get(self, path: str, **params: Any) -> httpx.Response:
        """Ask its HTTP API; 599 while it does not answer."""
        if not self.running:
            pytest.fail(f"the worker has ended: {self.log.read_text()[-2000:]}")
        async with httpx.AsyncClient(timeout=10) as client:
            try:
                return await client.get(self.url + path, params=params)
            except httpx.TransportError:
                return httpx.Response(599)


async def eventually(what: str, probe: Callable[[], Awaitable[Any]], worker: "Worker | None" = None) -> Any:
    """The first true answer of `probe`; after the deadline fails with `what`, and with what `worker` says of itself."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if answer := await probe():
            return answer
        await asyncio.sleep(0.05)
    state = await status_of(worker) if worker else ""
    pytest.fail(f"not within {DEADLINE_SECONDS:.0f} s: {what} {state}")


async def table_of(worker: Worker, publisher: Publisher) -> bytes:
    """The worker's whole table, once it stands at the issuer's last record."""
    position = publisher.issuer.position

    async def probe() -> httpx.Response | None:
        answer = await worker.get("/v1/table")
        reached = answer.headers.get(PLACE, "").startswith(f"{position.epoch}/{position.n}/")
        return answer if answer.status_code == 200 and reached else None

    return bytes((await eventually(f"the table at record {position.n}", probe, worker)).content)


async def records_of(kafka: str, topic: str, partitions: int = 1) -> list[Any]:
    """Everything that stands on a topic now."""
    async with AIOKafkaConsumer(
        bootstrap_servers=kafka, group_id=None, auto_offset_reset="earliest"
    ) as consumer:
        wanted = [TopicPartition(topic, partition) for partition in range(partitions)]
        ends = await consumer.end_offsets(wanted)
        consumer.assign(wanted)
        found = []
        while any([await consumer.position(partition) < ends[partition] for partition in wanted]):
            for batch in (await consumer.getmany(timeout_ms=100)).values():
                found += batch
        return found


async def ready(worker: Worker) -> None:
    """Wait until the worker answers for certain for all that it holds."""

    async def probe() -> bool:
        return (await worker.get("/readyz")).status_code == 200

    await eventually(f"{worker.url} ready", probe, worker)


async def status_of(worker: Worker) -> dict[str, Any]:
    """The worker's own account of itself."""
    answer = await worker.get("/v1/status")
    return dict(answer.json()) if answer.status_code == 200 else {}
