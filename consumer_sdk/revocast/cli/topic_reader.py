"""Reading a topic as it is: from a place to its end, or on and on. No consumer group, nothing committed."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.conn import create_conn
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from revocast.cli.errors import CliError, Denied, Misused, Unreachable
from revocast.schemas.connecting import obstacle
from revocast.schemas.settings import KafkaSettings

__all__ = ["assigned", "kafka_error", "read_to_end", "read_until", "seek_back"]

_POLL_MS = 500


async def kafka_error(kafka: KafkaSettings, error: KafkaError) -> CliError:
    """A Kafka client's error, in words."""
    if isinstance(error, TopicAuthorizationFailedError | ClusterAuthorizationFailedError):
        return Denied(
            f"Kafka at {kafka.kafka} does not allow that: {error}",
            "Rights are given by `revocast topics acl`.",
        )
    why = await obstacle(create_conn, kafka)
    return Unreachable(
        f"Kafka at {why}" if why else f"Kafka at {kafka.kafka} does not answer: {error}",
        "Is it running, and are REVOCAST_KAFKA and the REVOCAST_KAFKA_… that protect it right?",
    )


@asynccontextmanager
async def assigned(kafka: KafkaSettings, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of all partitions of `topic`, at their beginnings. Raises `Unreachable`, or `Misused` without the topic."""
    consumer = AIOKafkaConsumer(
        topic,
        **kafka.client_options(),
        group_id=None,  # all partitions are ours, and nothing is committed
        auto_offset_reset="earliest",
        request_timeout_ms=5_000,
    )
    try:
        await consumer.start()
        yield consumer
    except UnknownTopicOrPartitionError:
        raise Misused(f"topic {topic} does not exist", "Create it: revocast topics ensure") from None
    except KafkaError as error:
        raise await kafka_error(kafka, error) from None
    finally:
        await consumer.stop()


async def read_to_end(kafka: KafkaSettings, topic: str, *, last: int | None = None) -> AsyncIterator[Any]:
    """Every record, or the `last` of each partition, up to the end offsets as they are now."""
    async with assigned(kafka, topic) as consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        if last is not None:
            await seek_back(consumer, ends, last)
        async for record in read_until(consumer, ends):
            yield record


async def read_until(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> AsyncIterator[Any]:
    """Every record from where the consumer stands to `ends`; a few that came since may follow."""
    while behind := [one for one, end in ends.items() if await consumer.position(one) < end]:
        for records in (await consumer.getmany(*behind, timeout_ms=_POLL_MS)).values():
            for record in records:
                yield record


async def seek_back(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int], last: int) -> None:
    """Place the consumer `last` records before each end."""
    beginnings = await consumer.beginning_offsets(list(ends))
    for partition, end in ends.items():
        consumer.seek(partition, max(beginnings[partition], end - last))
