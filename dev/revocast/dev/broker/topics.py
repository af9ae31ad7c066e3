"""Topics of a Kafka that runs, for the tests and the benchmarks: made, and truncated, without a `revocast` command."""

from collections.abc import Mapping

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete

from revocast.schemas.topics import Topics

__all__ = ["create_topic", "create_topics", "truncate"]


async def create_topics(topics: Topics, kafka: str, nodes: int = 1) -> None:
    """A deployment's topics, as `revocast topics ensure` makes them on a cluster of so many nodes."""
    await _create(
        kafka,
        [
            NewTopic(each.name, each.partitions, nodes, topic_configs=dict(each.config))
            for each in topics.specs(nodes)
        ],
    )


async def create_topic(
    name: str, kafka: str, config: Mapping[str, str] | None = None, nodes: int = 1
) -> None:
    """One topic of one partition."""
    await _create(kafka, [NewTopic(name, 1, nodes, topic_configs=dict(config or {}))])


async def truncate(topic: str, kafka: str, offset: int) -> None:
    """Delete what is before `offset`, as the issuer does behind a snapshot."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=offset)})
    finally:
        await admin.close()


async def _create(kafka: str, wanted: list[NewTopic]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        answer = await admin.create_topics(wanted)
        assert not any(code for _, code, *_ in answer.topic_errors), answer
    finally:
        await admin.close()
