"""Fixtures: an issuer that publishes to a real Kafka, and workers that read it."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from revocast.dev.broker.ports import free_ports
from revocast.schemas.topics import Topics
from tests.streams.harness import Publisher, Worker


@pytest.fixture
async def publisher(kafka: str, topics: Topics) -> AsyncIterator[Publisher]:
    """An issuer that has published its keys, record 1 and a checkpoint."""
    async with AIOKafkaProducer(bootstrap_servers=kafka, linger_ms=0) as producer:
        publisher = Publisher(producer, topics)
        await publisher.publish()
        yield publisher


@pytest.fixture
def workers(
    kafka: str, topics: Topics, publisher: Publisher, tmp_path: Path
) -> Iterator[Callable[[], Worker]]:
    """Makes workers of one app, not started; all of them are gone afterwards."""
    made: list[Worker] = []
    snapshot_key = tmp_path / "snapshot.pem"
    snapshot_key.touch(0o600)
    snapshot_key.write_bytes(publisher.issuer.snapshot_key.pem())

    def make() -> Worker:
        (port,) = free_ports(1)
        folder = tmp_path / f"worker-{len(made)}"
        environ = {
            **os.environ,
            "REVOCAST_KAFKA": kafka,
            "REVOCAST_PREFIX": topics.prefix,
            "REVOCAST_ISSUER": publisher.issuer.issuer,
            "REVOCAST_ROOT": publisher.issuer.pin,
            "REVOCAST_STREAMS_LISTEN": f"127.0.0.1:{port}",
            "REVOCAST_SNAPSHOT_KEY": str(snapshot_key),
            "REVOCAST_STREAMS_SESSION_SECONDS": "3",
            "REVOCAST_STREAMS_DATADIR": str(folder),
        }
        made.append(Worker(environ, tmp_path / f"worker-{len(made)}.log", port))
        return made[-1]

    yield make
    for worker in made:
        if worker.running:
            worker.kill()


@pytest.fixture
def worker(workers: Callable[[], Worker]) -> Worker:
    """One worker, started."""
    worker = workers()
    worker.start()
    return worker
