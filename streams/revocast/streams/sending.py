"""Producing so that "sent" means that Kafka has it."""

import asyncio
import logging
from collections.abc import Mapping

import faust
from aiokafka.errors import KafkaError
from faust.exceptions import ProducerSendError

__all__ = ["send"]

log = logging.getLogger(__name__)
RETRY_SECONDS = 0.5


async def send(
    topic: faust.TopicT,
    *,
    key: bytes | None,
    value: bytes,
    partition: int | None = None,
    headers: Mapping[str, bytes] | None = None,
) -> None:
    """Return once every in-sync replica has the record; a broker that is away is waited for."""
    while True:
        try:
            await (await topic.send(key=key, value=value, partition=partition, headers=dict(headers or {})))
            return
        except (KafkaError, ProducerSendError) as error:
            log.warning("%s not written, trying again: %r", topic, error)
            await asyncio.sleep(RETRY_SECONDS)
