"""Bringing a signed list to those who read it: through the issuer, or straight onto `revocast.keys`.

Whoever may write to the topic may publish: the signature counts, not the messenger. What readers would refuse is not sent.
"""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from revocast.cli.errors import Misused, Refused
from revocast.cli.operator import Operator
from revocast.cli.settings import kafka_settings, trust_settings
from revocast.cli.topic_reader import kafka_error
from revocast.cli.trust.known import taken_by
from revocast.cli.trust.sources import SCOPE, list_on_topic
from revocast.schemas.delegating import InForce
from revocast.schemas.settings import KafkaSettings
from revocast.schemas.trust import Trust

__all__ = ["hand_to_issuer", "put_on_topic", "write_new"]


def hand_to_issuer(operator: Operator, compact: bytes) -> Mapping[str, Any]:
    """The issuer takes it into force and publishes it. Raises `Refused`, `Denied` or `Unreachable`."""
    answer: Mapping[str, Any] = operator.post("/v1/delegations", SCOPE, {"list": compact.decode()})
    return answer


def put_on_topic(compact: bytes, pin: str) -> Mapping[str, Any]:
    """Publish to Kafka what a reader pinned to `pin` takes after the newest list there. Raises `Refused` or `Unreachable`."""
    return asyncio.run(_put_on_topic(kafka_settings(), compact, Trust(trust_settings().issuer, pin)))


async def _put_on_topic(kafka: KafkaSettings, compact: bytes, reader: Trust) -> Mapping[str, Any]:
    _, newest = await list_on_topic(kafka, reader)
    listed = InForce.read(compact).listed
    answer = {"version": listed.version, "epoch": listed.epoch, "topic": kafka.topics.keys}
    if newest == compact:
        return {**answer, "status": "published"}  # by an earlier attempt, or by somebody else
    if problem := taken_by(reader, compact):
        version = reader.delegations.version if reader.delegations else 0
        raise Refused(
            f"no reader would take this list: {problem}; {kafka.topics.keys} holds version {version}",
            "Sign it anew on top of that one.",
        )
    producer = AIOKafkaProducer(**kafka.client_options(), acks="all", enable_idempotence=True)
    try:
        await producer.start()
        sent = await producer.send_and_wait(kafka.topics.keys, compact, key=listed.key, partition=0)
    except KafkaError as error:
        raise await kafka_error(kafka, error) from None
    finally:
        await producer.stop()
    return {**answer, "offset": sent.offset, "status": "published"}


def write_new(path: Path, content: bytes) -> None:
    """Write a file that is not there yet. Raises `Misused`."""
    try:
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise Misused(f"{path} exists already", "Nothing is overwritten: give another path.") from None
    except OSError as error:
        raise Misused(f"{path}: cannot be written: {error.strerror}") from None
