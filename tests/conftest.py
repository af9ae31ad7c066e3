"""Fixtures for everyone: one real Kafka for the whole run, and topics of its own for each test."""

import secrets
import signal
from collections.abc import AsyncIterator, Iterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from hypothesis import settings

from revocast.dev.broker import Broker, JvmBroker, hardened_broker, running_broker
from revocast.dev.broker.topics import create_topics
from revocast.schemas.topics import Topics

# A shell starts background jobs with SIGINT ignored, and every child inherits that: then no test of Ctrl-C could pass.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# How long an example took says how busy the machine is.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """Bootstrap address of the run's Kafka. Shared: a test that kills or stops one asks for `broker`."""
    with running_broker() as broker:
        yield broker.bootstrap


@pytest.fixture
def broker() -> Iterator[Broker]:
    """A Kafka of the test's own, to kill, stop, pause and start."""
    with running_broker(own=True) as broker:
        yield broker


@pytest.fixture(scope="session")
def hardened() -> Iterator[JvmBroker]:
    """The run's Kafka with the hardened profile: nobody gets in without `hardened.hardening`'s credentials."""
    with hardened_broker() as broker:
        yield broker


@pytest.fixture
def prefix() -> str:
    """A topic prefix that no other test uses."""
    return f"test-{secrets.token_hex(6)}"


@pytest.fixture
async def topics(kafka: str, prefix: str) -> AsyncIterator[Topics]:
    """The topics under `prefix`, created; whatever is under it afterwards is deleted."""
    topics = Topics(prefix)
    await create_topics(topics, kafka)
    yield topics
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        left = [name for name in await admin.list_topics() if name.startswith(prefix)]
        await admin.delete_topics(left)
    finally:
        await admin.close()
