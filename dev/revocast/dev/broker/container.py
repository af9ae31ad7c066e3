"""Kafka in containers, by testcontainers: the same configuration as the local process, through the image's environment."""

import os
import secrets
from typing import Any

from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

from revocast.dev.broker import engine
from revocast.dev.broker.artifacts import Progress
from revocast.dev.broker.config import node_properties
from revocast.dev.broker.errors import BrokerError
from revocast.dev.broker.ports import free_ports
from revocast.dev.broker.readiness import wait_ready
from revocast.dev.broker.reaper import Reaper

_IMAGE = "apache/kafka:4.3.1"
_CLIENT, _CONTROLLER, _BROKER = 9092, 9093, 9094  # ports inside
_JVM = {
    "KAFKA_HEAP_OPTS": "-Xmx256m",
    "KAFKA_JVM_PERFORMANCE_OPTS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
}
# Nobody but this host may reach a Kafka that asks for no password; Docker publishes on every address otherwise.
_LOOPBACK_ONLY = {"com.docker.network.bridge.host_binding_ipv4": "127.0.0.1"}


def image_name() -> str:
    """`REVOCAST_KAFKA_IMAGE`, by default Apache's: any image that takes the same environment."""
    return os.environ.get("REVOCAST_KAFKA_IMAGE") or _IMAGE


class ContainerBroker:
    """Starts at once; `close` removes containers, volumes and network. Also when this process dies."""

    def __init__(self, image: str, nodes: int) -> None:
        self.nodes = nodes
        name = secrets.token_hex(8)
        self._labels = {engine.LABEL: name}
        # Clients are told the host's port, so it has to be known before the container is there.
        self._ports = free_ports(nodes)
        self._containers: list[DockerContainer] = []
        self._reaper = Reaper()
        self._reaper.watch("containers", name)
        try:
            network = Network(docker_network_kw={"labels": self._labels, "options": _LOOPBACK_ONLY}).create()
            for node in range(nodes):
                self._run(image, network, node)
            self._wait_ready(*range(nodes))
        except BaseException as error:  # Ctrl-C while it starts included.
            self.close()
            if isinstance(error, engine.Failure):
                raise BrokerError(f"Docker could not run {image}: {engine.reason(error)}") from error
            raise

    @classmethod
    def launch(cls, nodes: int, progress: Progress) -> "ContainerBroker":
        """Pull the image if it is missing, then start. Raises BrokerError."""
        # Its own cleaner is one more image to pull, with the engine's socket inside; our reaper does that work.
        testcontainers_config.ryuk_disabled = True
        image = image_name()
        if why := engine.missing(image, progress):
            raise BrokerError(why)
        return cls(image, nodes)

    @property
    def bootstrap(self) -> str:
        return ",".join(f"127.0.0.1:{port}" for port in self._ports)

    def kill(self, node: int = 0) -> None:
        self._container(node, running=True).kill()

    def stop(self, node: int = 0) -> None:
        self._container(node, running=True).stop(timeout=30)

    def start(self, node: int = 0) -> None:
        self._container(node, running=False).start()
        self._wait_ready(node)

    def pause(self, node: int = 0) -> None:
        self._container(node, running=True).pause()

    def resume(self, node: int = 0) -> None:
        self._container(node, running=True).unpause()

    def close(self) -> None:
        self._reaper.close()
        for container in self._containers:
            container.get_docker_client().client.close()

    def _run(self, image: str, network: Network, node: int) -> None:
        properties = node_properties(
            node,
            client_listener=f"0.0.0.0:{_CLIENT}",
            advertised=f"127.0.0.1:{self._ports[node]}",
            controllers=[f"kafka-{other}:{_CONTROLLER}" for other in range(self.nodes)],
            controller_listener=f"kafka-{node}:{_CONTROLLER}",
            broker_listener=f"kafka-{node}:{_BROKER}",
            data="/var/lib/kafka/data",
        )
        environment = {_environment_name(name): value for name, value in properties.items()}
        container = (
            DockerContainer(image)
            .with_network(network)
            .with_network_aliases(f"kafka-{node}")
            .with_bind_ports(_CLIENT, self._ports[node])
            .with_envs(**environment, **_JVM)
            .with_kwargs(hostname=f"kafka-{node}", labels=self._labels)
        )
        self._containers.append(container.start())

    def _container(self, node: int, *, running: bool) -> Any:
        container = self._containers[node].get_wrapped_container()
        container.reload()
        if (container.status != "exited") != running:
            raise BrokerError(f"Node {node} is {'not running' if running else 'running'}.")
        return container

    def _wait_ready(self, *nodes: int) -> None:
        wait_ready({node + 1: f"127.0.0.1:{self._ports[node]}" for node in nodes}, self._ended)

    def _ended(self) -> str | None:
        for container in self._containers:
            container.reload()
            if container.status == "exited":
                return str(container.get_wrapped_container().logs(tail=40).decode(errors="replace"))
        return None


def _environment_name(name: str) -> str:
    """The image's rule: `log.dirs` is KAFKA_LOG_DIRS."""
    return "KAFKA_" + name.upper().replace(".", "_")
