"""The launcher itself: a real Kafka that comes up, survives what tests do to it, and leaves nothing behind."""

import asyncio
import os
import signal
import subprocess
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from revocast.dev.broker import Broker, BrokerError, running_broker
from revocast.dev.broker.container import image_name
from revocast.schemas.topics import Topics
from tests.integration.launched import launched, until
from tests.integration.traffic import create, first, send


@pytest.fixture
def jvm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Local processes, whatever else there is; the folder is where they keep their data."""
    monkeypatch.setenv("REVOCAST_BROKER", "jvm")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


@pytest.mark.usefixtures("way")
async def test_what_was_acknowledged_is_there_after_kill_9_and_restart(broker: Broker) -> None:
    await create(broker.bootstrap, "kept", replicas=1)
    await send(broker.bootstrap, "kept", b"one")

    broker.kill()
    broker.start()

    assert await first(broker.bootstrap, "kept") == b"one"


@pytest.mark.usefixtures("way")
async def test_three_nodes_acknowledge_and_keep_with_one_of_them_gone() -> None:
    with running_broker(3) as broker:
        await create(broker.bootstrap, "kept", replicas=3)
        broker.kill(0)
        await send(broker.bootstrap, "kept", b"one")
        broker.start(0)
        broker.stop(1)

        assert await first(broker.bootstrap, "kept") == b"one"


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
    with launched() as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline().startswith(b"127.0.0.1:")
        assert _processes(jvm)
        parent.send_signal(signum)

    until(lambda: not _processes(jvm))
    until(lambda: not list(jvm.iterdir()))


def test_sigterm_while_it_starts_leaves_nothing(jvm: Path) -> None:
    with launched() as parent:
        until(lambda: bool(_processes(jvm)))
        parent.terminate()

    until(lambda: not _processes(jvm))
    until(lambda: not list(jvm.iterdir()))


@pytest.mark.usefixtures("way")
async def test_a_paused_node_answers_nothing_until_it_is_resumed(broker: Broker) -> None:
    await create(broker.bootstrap, "kept", replicas=1)
    broker.pause()
    sending = asyncio.create_task(send(broker.bootstrap, "kept", b"one"))
    done, _ = await asyncio.wait([sending], timeout=0.5)
    assert not done

    broker.resume()

    await sending
    assert await first(broker.bootstrap, "kept") == b"one"


@pytest.mark.usefixtures("way")
def test_a_running_node_cannot_be_started_nor_a_stopped_one_killed(broker: Broker) -> None:
    with pytest.raises(BrokerError, match="is running"):
        broker.start()
    broker.stop()
    with pytest.raises(BrokerError, match="is not running"):
        broker.kill()


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


def test_the_image_and_the_jars_are_the_same_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REVOCAST_KAFKA_IMAGE", raising=False)
    version = image_name().rpartition(":")[2]

    assert f"<kafka.version>{version}</kafka.version>" in (Path(__file__).parents[2] / "pom.xml").read_text()


def test_a_named_kafka_is_used_and_never_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVOCAST_KAFKA", "kafka.example:9092")

    with running_broker() as broker:
        assert broker.bootstrap == "kafka.example:9092"
        with pytest.raises(BrokerError, match="not ours"):
            broker.kill()


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
