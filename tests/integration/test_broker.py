"""The launcher itself: a real Kafka that comes up, survives what tests do to it, and leaves nothing behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from revocast.dev.broker import Broker, BrokerError, running_broker
from revocast.schemas.topics import Topics


@pytest.fixture
def jvm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Local processes, whatever else there is; the folder is where they keep their data."""
    monkeypatch.setenv("REVOCAST_BROKER", "jvm")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


async def test_what_was_acknowledged_is_there_after_kill_9_and_restart(broker: Broker) -> None:
    await _create(broker.bootstrap, "kept", replicas=1)
    await _send(broker.bootstrap, "kept", b"one")

    broker.kill()
    broker.start()

    assert await _first(broker.bootstrap, "kept") == b"one"


async def test_three_nodes_acknowledge_and_keep_with_one_of_them_gone() -> None:
    with running_broker(3) as broker:
        await _create(broker.bootstrap, "kept", replicas=3)
        broker.kill(0)
        await _send(broker.bootstrap, "kept", b"one")
        broker.start(0)
        broker.stop(1)

        assert await _first(broker.bootstrap, "kept") == b"one"


async def test_topics_fixture_creates_every_topic(kafka: str, topics: Topics) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        assert {spec.name for spec in topics.specs(1)} <= set(await admin.list_topics())
    finally:
        await admin.close()


def test_a_failure_inside_leaves_no_process_and_no_folder(jvm: Path) -> None:
    def fail_inside() -> None:
        with running_broker(own=True):
            assert _processes(jvm)
            raise LookupError

    with pytest.raises(LookupError):
        fail_inside()
    assert not _processes(jvm)
    assert not list(jvm.iterdir())


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_its_parent(jvm: Path, signum: signal.Signals) -> None:
    with _run_one() as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline().startswith(b"127.0.0.1:")
        assert _processes(jvm)
        parent.send_signal(signum)

    _until(lambda: not _processes(jvm))
    _until(lambda: not list(jvm.iterdir()))


def test_sigterm_while_it_starts_leaves_nothing(jvm: Path) -> None:
    with _run_one() as parent:
        _until(lambda: bool(_processes(jvm)))
        parent.terminate()

    _until(lambda: not _processes(jvm))
    _until(lambda: not list(jvm.iterdir()))


async def test_a_paused_node_answers_nothing_until_it_is_resumed(broker: Broker) -> None:
    await _create(broker.bootstrap, "kept", replicas=1)
    broker.pause()
    sending = asyncio.create_task(_send(broker.bootstrap, "kept", b"one"))
    done, _ = await asyncio.wait([sending], timeout=0.5)
    assert not done

    broker.resume()

    await sending
    assert await _first(broker.bootstrap, "kept") == b"one"


def test_without_docker_and_java_the_error_says_what_to_install(
    jvm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(jvm))
    monkeypatch.delenv("JAVA_HOME", raising=False)

    with (
        pytest.raises(BrokerError, match="apt-get install openjdk-17-jre-headless maven"),
        running_broker(own=True),
    ):
        pass


def test_a_named_kafka_is_used_and_never_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVOCAST_KAFKA", "kafka.example:9092")

    with running_broker() as broker:
        assert broker.bootstrap == "kafka.example:9092"
        with pytest.raises(BrokerError, match="not ours"):
            broker.kill()


@contextmanager
def _run_one() -> Iterator[subprocess.Popen[bytes]]:
    """`python -m revocast.dev.broker`, ended when the test fails, too."""
    with subprocess.Popen([sys.executable, "-m", "revocast.dev.broker"], stdout=subprocess.PIPE) as parent:
        try:
            yield parent
        except BaseException:
            parent.kill()
            raise


async def _create(bootstrap: str, topic: str, replicas: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, replicas)])
    finally:
        await admin.close()


async def _send(bootstrap: str, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True) as producer:
        await producer.send_and_wait(topic, value)


async def _first(bootstrap: str, topic: str) -> bytes | None:
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        value: bytes | None = (await consumer.getone()).value
        return value


def _processes(folder: Path) -> list[int]:
    """The live processes that were started with something in `folder`."""
    found = []
    listing = subprocess.run(
        ["ps", "-ww", "-eo", "pid=,stat=,args="], capture_output=True, text=True, check=True
    ).stdout
    for line in listing.splitlines():
        pid, state, arguments = line.split(maxsplit=2)
        if str(folder) in arguments and not state.startswith("Z") and int(pid) != os.getpid():
            found.append(int(pid))
    return found


def _until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)
