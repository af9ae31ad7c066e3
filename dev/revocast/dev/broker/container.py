"""Kafka in containers, by testcontainers: the same configuration as the local process, through the image's environment."""

import os
import tempfile
from pathlib import Path

import docker
from docker.errors import DockerException
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

from revocast.dev.broker.artifacts import Progress
from revocast.dev.broker.config import node_properties
from revocast.dev.broker.errors import BrokerError
from revocast.dev.broker.ports import free_ports
from revocast.dev.broker.readiness import wait_ready
from revocast.dev.broker.reaper import Reaper

_IMAGE = "apache/kafka:4.3.1"
_CLIENT, _CONTROLLER, _BROKER = 9092, 9093, 9094  # ports inside


def engine_answers() -> bool:
    """Whether there is a Docker engine to talk to."""
    try:
        engine = docker.from_env(timeout=5)
    except DockerException:
        return False
    try:
        return bool(engine.ping())
    except (DockerException, OSError):
        return False
    finally:
        engine.close()


class ContainerBroker:
    """Starts at once; `close` removes containers and network. Also when this process dies."""

    def __init__(self, image: str, nodes: int) -> None:
        self.nodes = nodes
        # Clients are told the host's port, so it has to be known before the container is there.
        self._ports = free_ports(nodes)
        self._network = Network().create()
        self._containers: list[DockerContainer] = []
        self._reaper = Reaper(Path(tempfile.mkdtemp(prefix="revocast-kafka-")))
        try:
            for node in range(nodes):
                self._run(image, node)
            self._wait_ready(*range(nodes))
        except BaseException as error:
            self.close()
            if isinstance(error, DockerException):
                raise BrokerError(f"Docker could not run {image}: {error}.") from error
            raise

    @classmethod
    def launch(cls, nodes: int, progress: Progress) -> "ContainerBroker":
        """Pull the image (`REVOCAST_KAFKA_IMAGE`, by default Apache's) if it is missing, then start."""
        image = os.environ.get("REVOCAST_KAFKA_IMAGE", _IMAGE)
        try:
            engine = docker.from_env()
            if not engine.images.list(name=image):
                progress(f"Pulling {image} (once)")
                engine.images.pull(image)
        except DockerException as error:
            raise BrokerError(f"Docker has no image {image} and could not pull it: {error}.") from error
        return cls(image, nodes)

    @property
    def bootstrap(self) -> str:
        return ",".join(f"127.0.0.1:{port}" for port in self._ports)

    def kill(self, node: int = 0) -> None:
        self._containers[node].get_wrapped_container().kill()

    def stop(self, node: int = 0) -> None:
        self._containers[node].get_wrapped_container().stop(timeout=30)

    def start(self, node: int = 0) -> None:
        self._containers[node].get_wrapped_container().start()
        self._wait_ready(node)

    def pause(self, node: int = 0) -> None:
        self._containers[node].get_wrapped_container().pause()

    def resume(self, node: int = 0) -> None:
        self._containers[node].get_wrapped_container().unpause()

    def close(self) -> None:
        for container in self._containers:
            container.stop()
        self._network.remove()
        self._reaper.close()

    def _run(self, image: str, node: int) -> None:
        properties = node_properties(
            node,
            client_listener=f"0.0.0.0:{_CLIENT}",
            advertised=f"127.0.0.1:{self._ports[node]}",
            controllers=[f"kafka-{other}:{_CONTROLLER}" for other in range(self.nodes)],
            controller_listener=f"kafka-{node}:{_CONTROLLER}",
            broker_listener=f"kafka-{node}:{_BROKER}",
            data="/var/lib/kafka/data",
        )
        container = (
            DockerContainer(image)
            .with_network(self._network)
            .with_network_aliases(f"kafka-{node}")
            .with_bind_ports(_CLIENT, self._ports[node])
            .with_kwargs(hostname=f"kafka-{node}")
        )
        for name, value in properties.items():
            container.with_env(_environment_name(name), value)
        container.start()
        self._containers.append(container)
        self._reaper.watch("container", str(container.get_wrapped_container().id))

    def _wait_ready(self, *nodes: int) -> None:
        wait_ready({node + 1: f"127.0.0.1:{self._ports[node]}" for node in nodes}, self._ended)

    def _ended(self) -> str | None:
        for container in self._containers:
            wrapped = container.get_wrapped_container()
            wrapped.reload()
            if wrapped.status == "exited":
                return str(wrapped.logs(tail=40).decode(errors="replace"))
        return None


def _environment_name(name: str) -> str:
    """The image's rule: `log.dirs` is KAFKA_LOG_DIRS."""
    return "KAFKA_" + name.upper().replace(".", "_")
