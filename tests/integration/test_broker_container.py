"""What is the containers' own; what any broker does is in test_broker.py."""

import signal
import socket
from typing import Any

import docker
import pytest

from revocast.dev.broker import Broker, BrokerError, engine, running_broker
from tests.integration.launched import launched, until

pytestmark = [pytest.mark.containers, pytest.mark.usefixtures("containers")]


def test_only_this_host_can_reach_it(broker: Broker, containers: docker.DockerClient) -> None:
    [container] = containers.containers.list(filters={"publish": _port(broker.bootstrap)})

    assert {port["HostIp"] for port in container.ports["9092/tcp"]} == {"127.0.0.1"}


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_its_parent(containers: docker.DockerClient, signum: signal.Signals) -> None:
    with launched() as parent:
        assert parent.stdout is not None
        port = _port(parent.stdout.readline().decode())
        [container] = containers.containers.list(filters={"publish": port})
        name, [volume] = container.labels[engine.LABEL], container.attrs["Mounts"]
        assert len(_left(containers, name)) == 2  # a container and a network
        parent.send_signal(signum)

    until(lambda: not _left(containers, name))
    assert volume["Name"] not in [left.name for left in containers.volumes.list()]


def test_sigkill_while_it_starts_leaves_nothing(containers: docker.DockerClient) -> None:
    before = {found.id for found in _left(containers)}
    with launched() as parent:
        until(lambda: len({found.id for found in _left(containers)} - before) == 2)
        parent.kill()

    until(lambda: {found.id for found in _left(containers)} <= before)


def test_a_container_that_cannot_start_says_why_and_leaves_nothing(
    containers: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {found.id for found in _left(containers)}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr("revocast.dev.broker.container.free_ports", lambda count: [port] * count)
        with pytest.raises(BrokerError, match=rf"could not run .*{port}"), running_broker(own=True):
            pass

    assert {found.id for found in _left(containers)} <= before


def test_an_image_that_cannot_be_pulled_means_a_local_process_and_a_word_about_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("REVOCAST_BROKER")
    monkeypatch.setenv("REVOCAST_KAFKA_IMAGE", "registry.invalid/kafka:none")
    said: list[str] = []

    with running_broker(own=True, progress=said.append) as broker:
        assert type(broker).__name__ == "JvmBroker"

    assert said[0] == "Pulling registry.invalid/kafka:none (once)"
    assert "could not pull it: " in said[1] and said[1].endswith("Running Kafka as a local process instead.")


def test_an_image_that_cannot_be_pulled_is_an_error_where_containers_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REVOCAST_KAFKA_IMAGE", "registry.invalid/kafka:none")

    with pytest.raises(BrokerError, match=r"registry\.invalid"), running_broker(own=True):
        pass


def _port(bootstrap: str) -> str:
    return bootstrap.strip().rpartition(":")[2]


def _left(client: docker.DockerClient, name: str | None = None) -> list[Any]:
    """The containers and networks of the broker called `name`, or of any."""
    label = {"label": f"{engine.LABEL}={name}" if name else engine.LABEL}
    return [
        *client.containers.list(all=True, filters=label, ignore_removed=True),
        *client.networks.list(filters=label),
    ]
