"""Frames: what one partition of the table has to know of one record.

* The chain agent turns every record into one frame for each of 12 partitions: where the log stands, and that partition's
  rows or none. So every partition knows its own n, and a partition without rows is as current as one with rows.
* A bucket is the first two bytes of a fingerprint; its partition is `bucket * 12 >> 16`. That keeps the order: the
  partitions' rows, one partition after the other, are the sorted table.
* A message carries frames of consecutive records. A duplicate is harmless, a gap shows.

    frame:  epoch u32, n u64, t u32, offset u64, hash (32), flags u8 (bit 0: closes the live set), rows u16, rows × 20
    all integers big-endian; `offset` is that of the record in `revocast.revocations`
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from revocast.schemas.record import Position, Record
from revocast.schemas.row import ROW_SIZE, Row, pack_rows, unpack_rows
from revocast.schemas.topics import FRAME_PARTITIONS
from revocast.streams.errors import MalformedFrame

__all__ = [
    "Frame",
    "Mark",
    "bucket_of",
    "decode",
    "decode_request",
    "encode",
    "encode_request",
    "frames_of",
    "partition_of",
]

_MARK = struct.Struct(">IQIQ32s")
_TAIL = struct.Struct(">BH")
_CLOSES_LIVE_SET = 0x01


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the log: after record `n` of `epoch`; the record's hash, time (seconds) and offset."""

    epoch: int
    n: int
    t: int
    offset: int
    hash: bytes

    SIZE: ClassVar[int] = _MARK.size

    def pack(self) -> bytes:
        """The mark's fixed-size bytes."""
        return _MARK.pack(self.epoch, self.n, self.t, self.offset, self.hash)

    @classmethod
    def unpack(cls, data: bytes) -> "Mark":
        """Inverse of `pack`. Raises `MalformedFrame`."""
        if len(data) != _MARK.size:
            raise MalformedFrame(f"mark: {len(data)} bytes instead of {_MARK.size}")
        return cls(*_MARK.unpack(data))

    @property
    def position(self) -> Position:
        """The same place as a reader of the chain names it."""
        return Position(self.epoch, self.n, self.hash, self.t)


@dataclass(frozen=True, slots=True)
class Frame:
    """One record as one partition sees it; `rows` in the order in which they apply."""

    mark: Mark
    rows: tuple[Row, ...] = ()
    closes_live_set: bool = False


def bucket_of(fingerprint: bytes) -> int:
    """The bucket of a fingerprint."""
    return int.from_bytes(fingerprint[:2])


def partition_of(bucket: int) -> int:
    """The partition that holds a bucket."""
    return bucket * FRAME_PARTITIONS >> 16


def frames_of(record: Record, mark: Mark) -> list[Frame]:
    """One frame for each partition, by partition number."""
    rows: list[list[Row]] = [[] for _ in range(FRAME_PARTITIONS)]
    for row in record.rows:
        rows[partition_of(bucket_of(row.fingerprint))].append(row)
    return [Frame(mark, tuple(own), record.closes_live_set) for own in rows]


def encode(frames: Iterable[Frame]) -> bytes:
    """The value of one message."""
    return b"".join(
        frame.mark.pack()
        + _TAIL.pack(_CLOSES_LIVE_SET if frame.closes_live_set else 0, len(frame.rows))
        + pack_rows(frame.rows)
        for frame in frames
    )


def decode(data: bytes) -> Sequence[Frame]:
    """Inverse of `encode`. Raises `MalformedFrame` or `MalformedRow`."""
    frames: list[Frame] = []
    at = 0
    while at < len(data):
        rows_at = at + _MARK.size + _TAIL.size
        if rows_at > len(data):
            raise MalformedFrame("frame: cut short")
        mark = Mark.unpack(data[at : at + _MARK.size])
        flags, count = _TAIL.unpack_from(data, at + _MARK.size)
        at = rows_at + count * ROW_SIZE
        if at > len(data) or flags & ~_CLOSES_LIVE_SET:
            raise MalformedFrame("frame: cut short, or flags that are not known")
        frames.append(Frame(mark, tuple(unpack_rows(data[rows_at:at])), bool(flags & _CLOSES_LIVE_SET)))
    return frames


def encode_request(partition: int, mark: Mark | None) -> bytes:
    """A partition's request for the frames after its mark (None: for all)."""
    return bytes([partition]) + (mark.pack() if mark else b"")


def decode_request(data: bytes | None) -> tuple[int, Mark | None]:
    """Inverse of `encode_request`. Raises `MalformedFrame`."""
    if not data or data[0] >= FRAME_PARTITIONS:
        raise MalformedFrame("request: names no partition")
    return data[0], Mark.unpack(data[1:]) if data[1:] else None
