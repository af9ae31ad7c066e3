"""Frames: what one partition of the table has to know of one record.

* The chain agent turns every record into one frame for each of 12 partitions: where the log stands, and that partition's
  rows or none. So every partition knows its own n, and a partition without rows is as current as one with rows.
* A bucket is the first two bytes of a fingerprint; its partition is `bucket * 12 >> 16`. That keeps the order: the
  partitions' rows, one partition after the other, are the sorted table.
* A message carries frames of consecutive records. A duplicate is harmless, a gap shows.
* A reader that needs records which the log no longer has gets a base instead: the rows of a snapshot, in pieces of one
  message each, that replace whole buckets. The pieces of a partition follow each other from its first bucket to its last.

    frame:  mark, flags u8 (bit 0: closes the live set, bit 1: cut), rows u16,
            with bit 1: delegations u64, key set u64, the versions that the cut's record names; then rows × 20
    piece:  mark, flags u8 (bit 2 alone), rows u16, first bucket u16, last bucket u16, rows × 20, sorted
    mark:   epoch u32, n u64, t u32, offset u64, hash (32)
    all integers big-endian; `offset` is that of the record in `revocast.revocations`, of a base one before it
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from revocast.schemas.chunks import partition_of
from revocast.schemas.record import Position, Record
from revocast.schemas.row import ROW_SIZE, Row, pack_rows, unpack_rows
from revocast.schemas.topics import FRAME_PARTITIONS
from revocast.streams.errors import MalformedFrame

__all__ = [
    "BasePiece",
    "Frame",
    "KeyVersions",
    "Mark",
    "bucket_of",
    "decode",
    "decode_request",
    "encode",
    "encode_request",
    "frames_of",
]

_MARK = struct.Struct(">IQIQ32s")
_TAIL = struct.Struct(">BH")
_KEY_VERSIONS = struct.Struct(">QQ")
_BUCKETS = struct.Struct(">HH")
_NOTHING = struct.Struct("")
_CLOSES_LIVE_SET, _CUT, _BASE = 0x01, 0x02, 0x04


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


class KeyVersions(NamedTuple):
    """The versions of the key documents that a record names."""

    delegations: int
    key_set: int


@dataclass(frozen=True, slots=True)
class Frame:
    """One record as one partition sees it; `rows` in the order in which they apply. `cut`: a snapshot is taken after it."""

    mark: Mark
    rows: tuple[Row, ...] = ()
    closes_live_set: bool = False
    cut: KeyVersions | None = None


@dataclass(frozen=True, slots=True)
class BasePiece:
    """All rows of the buckets `first` to `last` as of `mark`, packed and sorted."""

    mark: Mark
    first: int
    last: int
    rows: bytes

    @property
    def opens(self) -> bool:
        """Whether it begins with the first bucket of a partition."""
        return self.first == 0 or partition_of(self.first - 1) != partition_of(self.first)

    @property
    def completes(self) -> bool:
        """Whether it ends with the last bucket of a partition."""
        return self.last == 0xFFFF or partition_of(self.last + 1) != partition_of(self.last)

    def buckets(self) -> Iterator[tuple[int, bytes]]:
        """Each bucket from `first` to `last` and its rows, or none."""
        at = 0
        for bucket in range(self.first, self.last + 1):
            start, prefix = at, bucket.to_bytes(2)
            while self.rows[at : at + 2] == prefix:
                at += ROW_SIZE
            yield bucket, self.rows[start:at]
        if at != len(self.rows):
            raise MalformedFrame("base: rows that are not of its buckets, or not sorted")


def bucket_of(fingerprint: bytes) -> int:
    """The bucket of a fingerprint."""
    return int.from_bytes(fingerprint[:2])


def frames_of(record: Record, mark: Mark) -> list[Frame]:
    """One frame for each partition, by partition number."""
    rows: list[list[Row]] = [[] for _ in range(FRAME_PARTITIONS)]
    for row in record.rows:
        rows[partition_of(bucket_of(row.fingerprint))].append(row)
    cut = KeyVersions(record.delegations, record.key_set) if record.cut else None
    return [Frame(mark, tuple(own), record.closes_live_set, cut) for own in rows]


def encode(frames: Iterable[Frame | BasePiece]) -> bytes:
    """The value of one message."""
    return b"".join(map(_encoded, frames))


def _encoded(frame: Frame | BasePiece) -> bytes:
    if isinstance(frame, BasePiece):
        count = len(frame.rows) // ROW_SIZE
        tail = _TAIL.pack(_BASE, count) + _BUCKETS.pack(frame.first, frame.last)
        return frame.mark.pack() + tail + frame.rows
    flags = (_CLOSES_LIVE_SET if frame.closes_live_set else 0) | (_CUT if frame.cut else 0)
    versions = _KEY_VERSIONS.pack(*frame.cut) if frame.cut else b""
    return frame.mark.pack() + _TAIL.pack(flags, len(frame.rows)) + versions + pack_rows(frame.rows)


def decode(data: bytes) -> Sequence[Frame | BasePiece]:
    """Inverse of `encode`. Raises `MalformedFrame` or `MalformedRow`."""
    frames: list[Frame | BasePiece] = []
    at = 0
    try:
        while at < len(data):
            frame, at = _decoded(data, at)
            frames.append(frame)
    except struct.error:
        raise MalformedFrame("frame: cut short") from None
    return frames


def _decoded(data: bytes, at: int) -> tuple[Frame | BasePiece, int]:
    mark = Mark.unpack(data[at : at + _MARK.size])
    flags, count = _TAIL.unpack_from(data, at + _MARK.size)
    at += _MARK.size + _TAIL.size
    if flags != _BASE and flags & ~(_CLOSES_LIVE_SET | _CUT):
        raise MalformedFrame("frame: flags that are not known")
    extra = _BUCKETS if flags == _BASE else _KEY_VERSIONS if flags & _CUT else _NOTHING
    numbers = extra.unpack_from(data, at)
    at += extra.size
    end = at + count * ROW_SIZE
    if end > len(data):
        raise MalformedFrame("frame: cut short")
    rows = data[at:end]
    if flags == _BASE:
        first, last = numbers
        piece = BasePiece(mark, first, last, rows)
        for _ in piece.buckets():
            pass  # Refused here, where the message is, not in the shard.
        return piece, end
    cut = KeyVersions._make(numbers) if numbers else None
    return Frame(mark, tuple(unpack_rows(rows)), bool(flags & _CLOSES_LIVE_SET), cut), end


def encode_request(partition: int, mark: Mark | None) -> bytes:
    """A partition's request for the frames after its mark (None: for all)."""
    return bytes([partition]) + (mark.pack() if mark else b"")


def decode_request(data: bytes | None) -> tuple[int, Mark | None]:
    """Inverse of `encode_request`. Raises `MalformedFrame`."""
    if not data or data[0] >= FRAME_PARTITIONS:
        raise MalformedFrame("request: names no partition")
    return data[0], Mark.unpack(data[1:]) if data[1:] else None
