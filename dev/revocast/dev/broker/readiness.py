"""When a node is ready: it answers metadata, and the answer names it."""

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from revocast.dev.broker.errors import BrokerError

_START_TIMEOUT = 60.0  # seconds


def wait_ready(
    addresses: dict[int, str],
    gone: Callable[[], str | None],
    login: Callable[[], Mapping[str, Any]] = dict,
) -> None:
    """Block until each of `addresses` (node.id -> host:port) answers metadata that names itself.

    `gone` is asked in between: text from it means that a node has ended, and why. `login` is what a client needs besides the
    address. Raises BrokerError.
    """
    deadline = time.monotonic() + _START_TIMEOUT
    for node_id, address in addresses.items():
        while not _answers(address, node_id, login()):
            if (why := gone()) is not None:
                raise BrokerError(f"Kafka ended while it started.\n{why}")
            if time.monotonic() > deadline:
                raise BrokerError(f"Kafka at {address} did not answer within {_START_TIMEOUT:.0f} s.")
            time.sleep(0.05)


def _answers(address: str, node_id: int, login: Mapping[str, Any]) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    # In a thread of its own: the caller may be inside a running event loop.
    with ThreadPoolExecutor(1) as pool:
        return node_id in pool.submit(asyncio.run, _members(address, login)).result()


async def _members(address: str, login: Mapping[str, Any]) -> set[int]:
    logger = logging.getLogger("aiokafka")
    options = {**login, "bootstrap_servers": address, "request_timeout_ms": 2000}
    level, asked = logger.level, AIOKafkaClient(**options)
    logger.setLevel(logging.CRITICAL)  # A broker that is not up yet is what we are here for, not an error.
    try:
        await asked.bootstrap()
        return {broker.nodeId for broker in asked.cluster.brokers()}
    except KafkaError:
        return set()
    finally:
        logger.setLevel(level)
        await asked.close()
