"""The topics that only the workers of one app use, created before Faust starts.

Frames are kept for a week whole and then compacted to the last one of each partition: a partition that was away for
longer asks for what it misses. Changelogs are compacted after a day at the earliest, and so are the parts of cuts.
"""

import asyncio
import logging
from time import monotonic

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaConnectionError, TopicAlreadyExistsError, for_code

from revocast.schemas.connecting import obstacle
from revocast.schemas.settings import KafkaSettings
from revocast.schemas.topics import FRAME_PARTITIONS, Topics
from revocast.streams.errors import KafkaAway, TopicMissing

__all__ = ["BUCKETS", "InternalTopics", "ensure"]

log = logging.getLogger(__name__)
BUCKETS = "buckets"
_DAY_MS = 86_400_000
_WAIT_SECONDS = 30.0
_PAUSE_SECONDS = 0.5


class InternalTopics:
    """Their names; Faust makes the changelog's from the app id and the table's name."""

    def __init__(self, app_id: str) -> None:
        self.frames = f"{app_id}-frames"
        self.rewinds = f"{app_id}-rewinds"
        self.parts = f"{app_id}-parts"
        self.changelog = f"{app_id}-{BUCKETS}-changelog"

    def new(self, replicas: int) -> list[NewTopic]:
        """What to create."""
        durable = {
            "min.insync.replicas": "2" if replicas >= 3 else "1",
            "unclean.leader.election.enable": "false",
        }
        compacted = {"cleanup.policy": "compact", **durable}
        frames = {**compacted, "min.compaction.lag.ms": str(7 * _DAY_MS)}
        after_a_day = {**compacted, "min.compaction.lag.ms": str(_DAY_MS)}
        return [
            NewTopic(self.frames, FRAME_PARTITIONS, replicas, topic_configs=frames),
            NewTopic(self.changelog, FRAME_PARTITIONS, replicas, topic_configs=after_a_day),
            NewTopic(self.parts, 1, replicas, topic_configs=after_a_day),
            NewTopic(self.rewinds, 1, replicas, topic_configs={"retention.ms": str(_DAY_MS), **durable}),
        ]


async def ensure(kafka: KafkaSettings, internal: InternalTopics) -> None:
    """Wait for the control topics, then create the internal ones as replicated as those.

    Raises `KafkaAway`, or `TopicMissing`.
    """
    admin = AIOKafkaAdminClient(**kafka.client_options())
    try:
        await admin.start()
        replicas = await _replicas(admin, kafka.topics)
        answer = await admin.create_topics(internal.new(replicas))
        for name, code, *_ in answer.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise TopicMissing(f"{name} cannot be created: {error.__name__}")
    except KafkaConnectionError as error:
        raise KafkaAway(f"Kafka: {await obstacle(create_conn, kafka) or error}") from None
    finally:
        await admin.close()


async def _replicas(admin: AIOKafkaAdminClient, topics: Topics) -> int:
    wanted = [
        topics.revocations,
        topics.keys,
        topics.checkpoints,
        topics.snapshots,
        topics.audit,
        topics.dead_letters,
    ]
    deadline = monotonic() + _WAIT_SECONDS
    while True:
        described = {
            topic["topic"]: topic for topic in await admin.describe_topics(wanted) if not topic["error_code"]
        }
        missing = [name for name in wanted if name not in described]
        if not missing:
            return len(described[topics.revocations]["partitions"][0]["replicas"])
        if monotonic() > deadline:
            raise TopicMissing(f"{', '.join(missing)}: not there; run `revocast topics ensure`")
        log.info("waiting for %s", ", ".join(missing))
        await asyncio.sleep(_PAUSE_SECONDS)
