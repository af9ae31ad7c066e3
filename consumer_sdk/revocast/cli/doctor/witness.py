"""A second witness of the time: what Kafka wrote beside the issuer's newest checkpoint.

The timestamp is the broker's clock or the relay's, as the topic is configured. Where this host's clock and the issuer's differ, it says whose
is off.
"""

import asyncio
from typing import Final

from aiokafka.errors import KafkaError

from revocast.cli.errors import CliError
from revocast.cli.topic_reader import read_to_end
from revocast.schemas.checkpoint import Checkpoint
from revocast.schemas.errors import SchemaError
from revocast.schemas.events import Envelope
from revocast.schemas.settings import KafkaSettings
from revocast.schemas.trust import Trust

__all__ = ["kafka_ahead"]

_LAST: Final = 5
_TIMEOUT: Final = 5.0


async def kafka_ahead(settings: KafkaSettings, trust: Trust) -> float | None:
    """By how many seconds Kafka's timestamp of the newest checkpoint is ahead of the time in it; None: it cannot be told."""
    ahead: float | None = None
    try:
        async with asyncio.timeout(_TIMEOUT):
            async for record in read_to_end(settings, settings.topics.checkpoints, last=_LAST):
                t = _signed_time(record.value, trust)
                if t is not None:
                    ahead = record.timestamp / 1000 - t
    except (KafkaError, CliError, TimeoutError):
        return None
    return ahead


def _signed_time(value: bytes | None, trust: Trust) -> int | None:
    try:
        envelope = Envelope.parse(value or b"")
        key = trust.event_key(envelope.kid)
        if key is None or not envelope.verified_by(key):
            return None
        return Checkpoint.from_event(envelope.event()).t
    except SchemaError:
        return None
