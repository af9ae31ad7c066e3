"""Chunks: how a table is cut into the pieces that a snapshot consists of. Whoever holds the same table cuts the same bytes.

* A bucket is all rows whose fingerprints begin with the same two bytes. A chunk is whole buckets, ascending, as many as go
  into 900,000 bytes, and never of two partitions (`bucket * 12 >> 16`): so the holder of one partition cuts its own.
* A chunk is its packed rows and nothing else. Its name is the SHA-256 of them; that is also its Kafka key, so whoever writes
  other bytes under it is found out.
* All chunks of a snapshot, one after the other, are the canonical table.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from revocast.schemas.errors import SchemaError
from revocast.schemas.row import ROW_SIZE
from revocast.schemas.topics import FRAME_PARTITIONS

__all__ = ["MAX_CHUNK_BYTES", "CutChunk", "cut_chunks", "partition_of"]

MAX_CHUNK_BYTES: Final = 900_000


@dataclass(frozen=True, slots=True)
class CutChunk:
    """One chunk. `first` and `last` are the buckets of its first and its last row."""

    first: int
    last: int
    rows: bytes

    @property
    def sha256(self) -> bytes:
        """Its name."""
        return hashlib.sha256(self.rows).digest()

    @property
    def count(self) -> int:
        """How many rows it holds."""
        return len(self.rows) // ROW_SIZE


def partition_of(bucket: int) -> int:
    """The partition of the table that holds a bucket. Ascending buckets are ascending partitions."""
    return bucket * FRAME_PARTITIONS >> 16


def cut_chunks(buckets: Iterable[tuple[int, bytes]]) -> Iterator[CutChunk]:
    """Cut ascending buckets of (number, packed sorted rows) into chunks. Buckets without rows leave no trace.

    Raises `SchemaError` for a bucket that alone is larger than a chunk: four thousand million rows come before that.
    """
    first, last, parts, size = 0, -1, list[bytes](), 0
    for bucket, rows in buckets:
        if not rows:
            continue
        if len(rows) > MAX_CHUNK_BYTES:
            raise SchemaError(f"snapshot: bucket {bucket} alone is larger than a chunk")
        if parts and (size + len(rows) > MAX_CHUNK_BYTES or partition_of(bucket) != partition_of(last)):
            yield CutChunk(first, last, b"".join(parts))
            parts, size = [], 0
        if not parts:
            first = bucket
        parts.append(rows)
        last, size = bucket, size + len(rows)
    if parts:
        yield CutChunk(first, last, b"".join(parts))
