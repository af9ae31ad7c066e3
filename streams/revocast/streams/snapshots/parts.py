"""Parts: what one partition tells the gatherer about a cut, on an internal topic. The key is the partition's number.

part:   mark, delegations u64, key set u64, outcome u8,
        outcome 0: chunks u16, chunks × (sha256 (32), rows u32, first bucket u16, last bucket u16, offset u64)
        outcome 1, the partition abandoned the cut: the reason, UTF-8
all integers big-endian; `offset` is the chunk's place on `revocast.snapshots`
"""

import struct
from dataclasses import dataclass
from typing import Self

from pydantic import ValidationError

from revocast.schemas.errors import SchemaError
from revocast.schemas.snapshot import Chunk
from revocast.schemas.topics import FRAME_PARTITIONS
from revocast.streams.errors import MalformedFrame
from revocast.streams.frames import KeyVersions, Mark

__all__ = ["Part"]

_HEAD = struct.Struct(">QQB")
_COUNT = struct.Struct(">H")
_CHUNK = struct.Struct(">32sIHHQ")
_CUT, _ABANDONED = 0, 1


@dataclass(frozen=True, slots=True)
class Part:
    """One partition's chunks at a cut, or why there are none."""

    partition: int
    mark: Mark
    versions: KeyVersions
    chunks: tuple[Chunk, ...] = ()
    abandoned: str | None = None

    @property
    def key(self) -> bytes:
        """The Kafka key."""
        return b"%d" % self.partition

    def pack(self) -> bytes:
        """The Kafka value."""
        outcome = _CUT if self.abandoned is None else _ABANDONED
        head = self.mark.pack() + _HEAD.pack(*self.versions, outcome)
        if self.abandoned is not None:
            return head + self.abandoned.encode()
        return (
            head
            + _COUNT.pack(len(self.chunks))
            + b"".join(
                _CHUNK.pack(chunk.sha256, chunk.rows, chunk.first, chunk.last, chunk.offset)
                for chunk in self.chunks
            )
        )

    @classmethod
    def unpack(cls, key: bytes | None, value: bytes | None) -> Self:
        """Inverse of `key` and `pack`. Raises `MalformedFrame`."""
        try:
            partition, data = int((key or b"").decode()), value or b""
            mark = Mark.unpack(data[: Mark.SIZE])
            *versions, outcome = _HEAD.unpack_from(data, Mark.SIZE)
            rest = data[Mark.SIZE + _HEAD.size :]
            if not 0 <= partition < FRAME_PARTITIONS or outcome not in (_CUT, _ABANDONED):
                raise MalformedFrame("part: of no partition, or of an outcome that is not known")
            if outcome == _ABANDONED:
                return cls(partition, mark, KeyVersions(*versions), abandoned=rest.decode())
            chunks = tuple(
                Chunk(sha256=sha256, rows=rows, first=first, last=last, offset=offset)
                for sha256, rows, first, last, offset in _CHUNK.iter_unpack(rest[_COUNT.size :])
            )
            if _COUNT.unpack_from(rest) != (len(chunks),):
                raise MalformedFrame("part: not as many chunks as it says")
        except (struct.error, ValueError, ValidationError, SchemaError) as error:
            raise MalformedFrame(f"part: {type(error).__name__}") from None
        return cls(partition, mark, KeyVersions(*versions), chunks)
