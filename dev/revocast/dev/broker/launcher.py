"""Which Kafka: the one that is named, else a container, else a local JVM."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from revocast.dev.broker import engine
from revocast.dev.broker.artifacts import Progress
from revocast.dev.broker.container import ContainerBroker
from revocast.dev.broker.errors import BrokerError
from revocast.dev.broker.external import ExternalBroker
from revocast.dev.broker.interface import Broker
from revocast.dev.broker.jvm import JvmBroker


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def running_broker(nodes: int = 1, *, own: bool = False, progress: Progress = _to_stderr) -> Iterator[Broker]:
    """A Kafka that answers, ended and deleted when the block is left or this process dies, however it dies.

    `REVOCAST_KAFKA` names a running one, used for `nodes=1` unless `own`: ask for your own to kill or stop it. Else
    `REVOCAST_BROKER` (`container`, `jvm`) says how; without it, a container where a Docker engine answers, else a JVM.
    Raises BrokerError if there is no way to run one; the message says what to install.
    """
    broker = _launch(nodes, own, progress)
    try:
        yield broker
    finally:
        broker.close()


@contextmanager
def hardened_broker(nodes: int = 1, *, progress: Progress = _to_stderr) -> Iterator[JvmBroker]:
    """A Kafka with the hardened profile of `deploy/kafka`, in a local JVM: nobody gets in without `hardening`'s credentials."""
    broker = JvmBroker.launch(nodes, progress, hardened=True)
    try:
        yield broker
    finally:
        broker.close()


def _launch(nodes: int, own: bool, progress: Progress) -> Broker:
    if nodes not in (1, 3):
        raise ValueError("a broker has one node or three")
    bootstrap = os.environ.get("REVOCAST_KAFKA")
    if bootstrap and nodes == 1 and not own:
        return ExternalBroker(bootstrap)
    wanted = os.environ.get("REVOCAST_BROKER") or None
    if wanted not in (None, "container", "jvm"):
        raise BrokerError(f"REVOCAST_BROKER is {wanted!r}; it can be 'container' or 'jvm'.")
    if wanted == "container" and not engine.answers():
        raise BrokerError("REVOCAST_BROKER is 'container', and no Docker engine answers on this host.")
    if wanted == "container":
        return ContainerBroker.launch(nodes, progress)
    if wanted is None and engine.answers():
        try:
            return ContainerBroker.launch(nodes, progress)
        except BrokerError as error:
            progress(f"{error}\nRunning Kafka as a local process instead.")
    return JvmBroker.launch(nodes, progress)
