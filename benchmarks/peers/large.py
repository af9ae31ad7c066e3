"""A deployment with a table of millions of rows on a real Kafka: by its snapshot, or by its log."""

import asyncio
import itertools
import mmap
import time
from collections.abc import Iterator

from benchmarks.staging import create_topics, producing, publish, truncate
from revocast.schemas.chunks import cut_chunks
from revocast.schemas.events import Envelope
from revocast.schemas.record import MAX_ROWS
from revocast.schemas.row import ROW_SIZE
from revocast.schemas.rows import Rows
from revocast.schemas.topics import Topics
from revocast.testing import Authority

__all__ = ["by_log", "by_snapshot"]


def by_snapshot(table: mmap.mmap, topics: Topics, kafka: str) -> Authority:
    """The table stands in a countersigned snapshot, behind which the log was truncated: it holds the cut and no more."""
    authority = Authority(now=int(time.time()))
    cut = authority.append(cut=True)
    manifest = authority.manifest_of(cut, cut_chunks(_buckets(table)))
    signed = authority.snapshots.append(manifest.key, authority.sign(manifest, authority.snapshot_key))
    authority.countersign(signed)
    _published(authority, topics, kafka)
    asyncio.run(truncate(topics.revocations, kafka, cut.offset))
    return authority


def by_log(table: mmap.mmap, topics: Topics, kafka: str) -> Authority:
    """The table stands in the log, a thousand rows a record, and there is no snapshot."""
    authority = Authority(now=int(time.time()))
    for start in range(0, len(table), MAX_ROWS * ROW_SIZE):
        # Not by `append`: the authority's own table of objects would take minutes and gigabytes.
        rows = Rows(table[start : start + MAX_ROWS * ROW_SIZE])
        record = authority.position.next_record(
            rows, authority.now, delegations=authority.delegations, key_set=authority.key_set
        )
        value = authority.sign(record)
        authority.position = authority.position.after(record, Envelope.parse(value).hash)
        authority.log.append(record.key, value)
    return _published(authority, topics, kafka)


def _buckets(table: mmap.mmap) -> Iterator[tuple[int, bytes]]:
    rows = (table[start : start + ROW_SIZE] for start in range(0, len(table), ROW_SIZE))
    for bucket, held in itertools.groupby(rows, key=lambda row: int.from_bytes(row[:2])):
        yield bucket, b"".join(held)


def _published(authority: Authority, topics: Topics, kafka: str) -> Authority:
    authority.checkpoint()
    asyncio.run(_publish(authority, topics, kafka))
    return authority


async def _publish(authority: Authority, topics: Topics, kafka: str) -> None:
    await create_topics(topics, kafka)
    async with producing(kafka) as producer:
        await publish(authority, topics, producer)
