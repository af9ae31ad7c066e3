"""What a test or the demo may do to a running Kafka, whoever runs it."""

from typing import Protocol


class Broker(Protocol):
    """A running Kafka of one or more nodes, numbered from 0 (Kafka's own `node.id` is one higher)."""

    @property
    def bootstrap(self) -> str:
        """`host:port` of every node, separated by commas."""

    @property
    def nodes(self) -> int:
        """How many nodes it has, running or not."""

    def kill(self, node: int = 0) -> None:
        """SIGKILL: the node is gone between two instructions."""

    def stop(self, node: int = 0) -> None:
        """SIGTERM, and wait: the node hands over its partitions first."""

    def start(self, node: int = 0) -> None:
        """Start a stopped or killed node on its old port and data, and wait until it answers."""

    def pause(self, node: int = 0) -> None:
        """SIGSTOP: connections stay open and nothing answers."""

    def resume(self, node: int = 0) -> None:
        """SIGCONT."""

    def close(self) -> None:
        """End every node at once and delete its data."""
