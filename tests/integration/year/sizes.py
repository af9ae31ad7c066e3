"""How much there is of everything at one moment."""

from dataclasses import dataclass, fields
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import func, select

from revocast.issuer.storage.tables import KeyDocument, LiveRow, LogRecord
from tests.integration.year.deployment import Deployment
from tests.issuer.core.reader import read

__all__ = ["Sizes", "largest", "measure"]


@dataclass(frozen=True)
class Sizes:
    """Counts; the local copy in bytes. `chunks` are those that a tombstone has not taken."""

    live_rows: int
    log: int
    keys: int
    chunks: int
    manifests: int
    database_records: int
    database_documents: int
    local_copy: int


async def measure(deployment: Deployment) -> Sizes:
    """Count it."""
    topics = deployment.topics
    async with AIOKafkaConsumer(bootstrap_servers=deployment.kafka) as consumer:
        log = await _length(consumer, topics.revocations)
        keys = await _length(consumer, topics.keys)
    standing = await _standing(deployment.kafka, topics.snapshots)
    with deployment.authority.storage.read() as session:
        counts = [
            session.scalar(select(func.count()).select_from(table)) or 0
            for table in (LiveRow, LogRecord, KeyDocument)
        ]
    return Sizes(
        live_rows=counts[0],
        log=log,
        keys=keys,
        chunks=sum(key.startswith(b"chunk/") for key in standing),
        manifests=sum(key.startswith(b"manifest/") for key in standing),
        database_records=counts[1],
        database_documents=counts[2],
        local_copy=_bytes_of(deployment.folder / "steady"),
    )


def largest(sizes: list[Sizes]) -> Sizes:
    """The largest of each figure."""
    return Sizes(*(max(getattr(each, field.name) for each in sizes) for field in fields(Sizes)))


def _bytes_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


async def _length(consumer: AIOKafkaConsumer, topic: str) -> int:
    partition = TopicPartition(topic, 0)
    begins, ends = await consumer.beginning_offsets([partition]), await consumer.end_offsets([partition])
    return int(ends[partition] - begins[partition])


async def _standing(kafka: str, topic: str) -> set[bytes]:
    """The keys that a compacted topic holds once it is compacted."""
    standing: set[bytes] = set()
    for record in await read(kafka, topic):
        (standing.discard if record.value is None else standing.add)(record.key)
    return standing
