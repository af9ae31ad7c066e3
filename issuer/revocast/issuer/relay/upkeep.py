"""What the elected relay's process does beside publishing: snapshots are cut and countersigned, log and keys truncated.

It has Kafka clients of its own, so that millions of rows on the snapshots topic hold up no revocation. What goes wrong here is
said and tried again; it never ends publishing.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import KafkaError

from revocast.issuer.authority.cutting import CutRule
from revocast.issuer.errors import Conflict, IssuerError
from revocast.issuer.relay.countersigning import Countersigner
from revocast.issuer.relay.keys_truncating import KeysTruncation
from revocast.issuer.relay.publisher import Parts, Publisher
from revocast.issuer.relay.reading import REQUEST_MS, Consumers, PartitionReader
from revocast.issuer.relay.snapshot_topic import SnapshotTopic
from revocast.issuer.relay.truncating import LogTruncation
from revocast.issuer.snapshotting import CutDesk
from revocast.schemas.settings import KafkaSettings

__all__ = ["Upkeep", "UpkeepRules"]

_LOG: Final = logging.getLogger(__name__)
_EVERY_S: Final = 1.0
_TRUNCATE_EVERY_S: Final = 60.0
_RETRY_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class UpkeepRules:
    """When a snapshot is cut, and how many seconds the log must reach back at least."""

    cut: CutRule = field(default_factory=lambda: CutRule(records=10_000, seconds=6 * 3600))
    log_age: int = 7 * 86_400


class Upkeep:
    """`run` it beside one publisher, with the relay's producer."""

    def __init__(self, parts: Parts, kafka: KafkaSettings, rules: UpkeepRules) -> None:
        self._parts = parts
        self._kafka = kafka
        self._rules = rules

    async def run(self, publisher: Publisher, producer: AIOKafkaProducer) -> None:
        """Until cancelled."""
        said = ""
        while True:
            try:
                async with self._consumers() as consumers:
                    await self._turns(publisher, producer, consumers)
            except asyncio.CancelledError:
                # aiokafka lets the cancellation of its own requests out when a connection dies.
                if (task := asyncio.current_task()) is None or task.cancelling():
                    raise
                _LOG.warning("upkeep of snapshots: the connection was lost; trying again")
            except (KafkaError, IssuerError, OSError) as error:
                if said != (said := f"{type(error).__name__}: {error}"):
                    _LOG.warning("upkeep of snapshots: %s; trying again", said)
            except Exception:  # a defect here must not be silent, and must not end publishing either
                _LOG.exception("upkeep of snapshots: unexpected; trying again")
            await asyncio.sleep(_RETRY_S)

    async def _turns(self, publisher: Publisher, producer: AIOKafkaProducer, consumers: Consumers) -> None:
        parts, topics = self._parts, self._kafka.topics
        snapshots = SnapshotTopic(PartitionReader(consumers, topics.snapshots))
        desk = CutDesk(parts.storage, parts.publication, parts.clock, self._rules.cut)
        countersigner = Countersigner(
            parts.storage, parts.keystore, parts.clock, desk, snapshots, producer, topics.snapshots
        )
        log = LogTruncation(
            parts.storage,
            parts.clock,
            self._rules.log_age,
            topics.revocations,
            PartitionReader(consumers, topics.revocations),
            snapshots,
            self._delete_before,
            publisher.log_begins,
        )
        keys_reader = PartitionReader(consumers, topics.keys)
        keys = KeysTruncation(
            parts.storage, parts.clock, topics.keys, keys_reader, producer, self._delete_before
        )
        loop = asyncio.get_running_loop()
        due = loop.time()
        try:
            await log.finish()
            while True:
                if await countersigner.turn() or loop.time() >= due:
                    await log.turn()
                    await keys.turn()
                    due = loop.time() + _TRUNCATE_EVERY_S
                await asyncio.sleep(_EVERY_S)
        finally:
            await countersigner.close()

    async def _delete_before(self, topic: str, offset: int) -> None:
        admin = AIOKafkaAdminClient(**self._kafka.client_options(), request_timeout_ms=REQUEST_MS)
        await admin.start()
        try:
            await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=offset)})
        finally:
            await admin.close()

    @asynccontextmanager
    async def _consumers(self) -> AsyncIterator[Consumers]:
        consumers, topics = Consumers.of(self._kafka), self._kafka.topics
        try:
            for consumer in (consumers.reading, consumers.asking):
                await consumer.start()
            # Asked for by name, a missing topic would be created by some brokers, with a configuration that loses records.
            missing = {topics.snapshots, topics.revocations, topics.keys} - await consumers.asking.topics()
            if missing:
                raise Conflict(f"no such topic: {', '.join(sorted(missing))}; run `revocast topics ensure`")
            consumers.assign(topics.snapshots, topics.revocations, topics.keys)
            yield consumers
        finally:
            for consumer in (consumers.reading, consumers.asking):
                with suppress(KafkaError, OSError):
                    await consumer.stop()
