"""What the tests of transport and rights do on a hardened Kafka, as one principal or another."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import TopicAuthorizationFailedError
from confluent_kafka import KafkaException, admin

from revocast.cli.acl_admin import client_config
from revocast.dev.broker import JvmBroker
from revocast.schemas.settings import KafkaSettings
from revocast.schemas.topics import Topics
from tests.cli.conftest import Cli

__all__ = ["PRINCIPALS", "as_admin", "attempt", "names", "readable", "settings", "writable"]

ROLES = ("issuer", "streams", "service", "dashboard", "operator")
PRINCIPALS = [argument for role in ROLES for argument in (f"--{role}", f"User:{role}")]


def settings(broker: JvmBroker, role: str, prefix: str) -> KafkaSettings:
    """Of a client that logs in as `role`."""
    return KafkaSettings.from_env(
        {**broker.hardening.by_password(role, broker.bootstrap), "REVOCAST_PREFIX": prefix}
    )


def as_admin(broker: JvmBroker, prefix: str) -> Cli:
    """The command, run by who may do everything."""
    return Cli({**broker.hardening.by_password("admin", broker.bootstrap), "REVOCAST_PREFIX": prefix})


def names(topics: Topics) -> dict[str, str]:
    """Every topic of a deployment by its short name, and an internal one of streams."""
    short = ("revocations", "keys", "checkpoints", "snapshots", "fleet", "audit", "dead_letters")
    return {name: getattr(topics, name) for name in short} | {"internal": f"{topics.prefix}-streams-frames"}


async def writable(kafka: KafkaSettings) -> set[str]:
    """The topics that take a record from this principal."""
    async with AIOKafkaProducer(**kafka.client_options(), acks="all") as producer:

        async def write(topic: str) -> None:
            await producer.send_and_wait(topic, b"stolen", b"key", partition=0)

        return await _allowed(kafka, write)


async def readable(kafka: KafkaSettings) -> set[str]:
    """The topics that show a record to this principal; each has one."""

    async def read(topic: str) -> None:
        async with (
            AIOKafkaConsumer(topic, **kafka.client_options(), auto_offset_reset="earliest") as consumer,
            asyncio.timeout(10),
        ):
            await consumer.getone()

    return await _allowed(kafka, read)


async def _allowed(kafka: KafkaSettings, act: Callable[[str], Awaitable[None]]) -> set[str]:
    async def is_allowed(topic: str) -> bool:
        try:
            await act(topic)
        except TopicAuthorizationFailedError:
            return False
        return True

    topics = names(kafka.topics)
    answers = await asyncio.gather(*map(is_allowed, topics.values()))
    return {name for name, allowed in zip(topics, answers, strict=True) if allowed}


def attempt(kafka: KafkaSettings, act: Callable[..., Mapping[Any, Any]], *arguments: str) -> set[str]:
    """Kafka's answers to an administrator's request: `done`, or the error's name."""
    client = admin.AdminClient(client_config(kafka))  # it must outlive its answers
    return {_answer(future) for future in act(client, *arguments).values()}


def _answer(future: Any) -> str:
    try:
        future.result(10)
    except KafkaException as error:
        return str(error.args[0].name())
    return "done"
