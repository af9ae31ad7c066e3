"""One partition of the table, as a state machine without I/O.

* It follows the reader rule: the next n is applied; at or below its mark is a duplicate; higher is a gap, which asks the
  chain agent for the missing frames and changes nothing.
* It is stored as `epoch, bucket → last n, packed sorted rows`, and the mark under a key of its own. A duplicate is looked
  at bucket by bucket, and a bucket skips what it has: so a store whose mark ran ahead of a bucket heals.
* A later epoch is built beside the one in force, under its own keys, and takes over whole when its live set is closed.
* It stops behind a cut that it applied, so that the caller can store the effect and freeze just that state.
* A base replaces bucket by bucket what is older than it. The mark moves when the last piece is in, and until then what
  stands in the store is of records that the mark does not promise: who reads it is refused, for it is behind.
"""

import struct
import sys
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from revocast.schemas.row import Row
from revocast.schemas.table import merge_packed, packed_rows
from revocast.streams.errors import Inexact, MalformedFrame
from revocast.streams.frames import BasePiece, Frame, Mark, bucket_of

__all__ = [
    "MARKS_KEY",
    "Effect",
    "Shard",
    "Step",
    "alive",
    "bucket_key",
    "epoch_prefix",
    "is_newer",
    "live_rows",
    "rows_at",
    "split_bucket",
]

MARKS_KEY = b"marks"
_KEY = struct.Struct(">IH")
_N = struct.Struct(">Q")

Read = Callable[[bytes], bytes | None]
"""How the shard sees what is stored under a key."""


class Step(StrEnum):
    """What a shard made of one frame."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    GAP = "gap"


@dataclass
class Effect:
    """What is to be stored after some frames, and what became of each frame. Write `writes` in their order."""

    steps: list[Step] = field(default_factory=list)
    writes: dict[bytes, bytes] = field(default_factory=dict)
    retired_epoch: int | None = None
    """An epoch whose keys no longer count and are to be deleted."""
    cut: Frame | None = None
    """A cut that was the last frame applied; what follows it is still to be received."""

    @property
    def gap(self) -> bool:
        """Whether frames are missing."""
        return Step.GAP in self.steps


class Shard:
    """`mark` is where the rows in force stand; `building` where a later epoch stands that is not complete."""

    def __init__(self, mark: Mark | None = None, building: Mark | None = None) -> None:
        self.mark = mark
        self.building = building
        self._base: BasePiece | None = None  # the last piece of one that is coming in

    @classmethod
    def load(cls, read: Read) -> "Shard":
        """Continue from what is stored."""
        stored = read(MARKS_KEY)
        if stored is None:
            return cls()
        present, data = stored[0], stored[1:]
        marks = [Mark.unpack(data[at : at + Mark.SIZE]) for at in range(0, len(data), Mark.SIZE)]
        if present not in (1, 2, 3) or len(marks) != present.bit_count():
            raise MalformedFrame("marks: neither one nor two")
        return cls(marks[0] if present & 1 else None, marks[-1] if present & 2 else None)

    @property
    def newest(self) -> Mark | None:
        """The newest place that this shard has reached, in force or not."""
        return self.building or self.mark

    def receive(self, frames: Iterable[Frame | BasePiece], read: Read) -> Effect:
        """Apply one message's frames in their order; the state moves at once, the caller stores the effect.

        It ends early, with fewer steps than frames, at a gap and behind a cut.
        """
        effect = Effect()
        before = (self.mark, self.building)
        for frame in frames:
            step = (
                self._replace(frame, read, effect)
                if isinstance(frame, BasePiece)
                else self._follow(frame, read, effect)
            )
            effect.steps.append(step)
            if step is Step.GAP or effect.cut:
                break
        if (self.mark, self.building) != before:
            # Last, so that no crash leaves a mark that promises rows which were not written.
            effect.writes[MARKS_KEY] = self._marks()
        return effect

    @property
    def _place(self) -> tuple[int, int]:
        newest = self.newest
        return (newest.epoch, newest.n) if newest else (0, 0)

    def _follow(self, frame: Frame, read: Read, effect: Effect) -> Step:
        step = self._judge(frame.mark)
        if step is Step.GAP:
            return step
        self._merge(frame, read, effect)
        if step is Step.APPLIED:
            self._advance(frame, effect)
            if frame.cut and self.mark == frame.mark:
                effect.cut = frame
        return step

    def _judge(self, mark: Mark) -> Step:
        place = self._place
        if (mark.epoch, mark.n) <= place:
            return Step.DUPLICATE
        follows = (mark.epoch == place[0] and mark.n == place[1] + 1) or (
            mark.epoch > place[0] and mark.n == 1
        )
        return Step.APPLIED if follows else Step.GAP

    def _merge(self, frame: Frame, read: Read, effect: Effect) -> None:
        if self.mark and frame.mark.epoch < self.mark.epoch:
            return
        by_bucket: dict[bytes, list[Row]] = {}
        for row in frame.rows:
            by_bucket.setdefault(bucket_key(frame.mark.epoch, bucket_of(row.fingerprint)), []).append(row)
        for key, rows in by_bucket.items():
            n, packed = split_bucket(effect.writes.get(key) or read(key))
            if n < frame.mark.n:
                effect.writes[key] = _N.pack(frame.mark.n) + merge_packed(packed, rows, frame.mark.t)

    def _advance(self, frame: Frame, effect: Effect) -> None:
        if self.mark and frame.mark.epoch == self.mark.epoch:
            self.mark = frame.mark
            return
        self.building = frame.mark
        if frame.closes_live_set:
            effect.retired_epoch = self.mark.epoch if self.mark else None
            self.mark, self.building = self.building, None

    def _replace(self, piece: BasePiece, read: Read, effect: Effect) -> Step:
        if (piece.mark.epoch, piece.mark.n) <= self._place:
            return Step.DUPLICATE
        before = self._base
        follows = before and before.mark == piece.mark and before.last + 1 == piece.first
        if not piece.opens and not follows:
            return Step.GAP
        self._base = piece
        for bucket, rows in piece.buckets():
            key = bucket_key(piece.mark.epoch, bucket)
            n, old = split_bucket(effect.writes.get(key) or read(key))
            if n < piece.mark.n and (rows or old):
                effect.writes[key] = _N.pack(piece.mark.n) + rows
        if piece.completes:
            if self.mark and self.mark.epoch < piece.mark.epoch:
                effect.retired_epoch = self.mark.epoch
            self.mark, self.building, self._base = piece.mark, None, None
        return Step.APPLIED

    def _marks(self) -> bytes:
        present = (1 if self.mark else 0) | (2 if self.building else 0)
        return bytes([present]) + b"".join(mark.pack() for mark in (self.mark, self.building) if mark)


def epoch_prefix(epoch: int) -> bytes:
    """What every bucket key of an epoch begins with."""
    return _KEY.pack(epoch, 0)[:4]


def bucket_key(epoch: int, bucket: int) -> bytes:
    """The table key of a bucket; ascending keys are ascending fingerprints."""
    return _KEY.pack(epoch, bucket)


def split_bucket(value: bytes | None) -> tuple[int, bytes]:
    """(last n, packed rows) of a stored bucket; of none: (0, no rows)."""
    return (_N.unpack_from(value)[0], value[_N.size :]) if value else (0, b"")


def live_rows(packed: bytes, t: int) -> Sequence[bytes]:
    """The rows, 20 bytes each, that are alive at `t`: a bucket that was not touched may still hold dead ones."""
    return [row for row in packed_rows(packed) if int.from_bytes(row[-4:]) > t]


def alive(packed: bytes, t: int) -> bytes:
    """The same rows in one piece. It costs little where all are alive, as in nearly every bucket."""
    words = array("I", packed)
    if sys.byteorder == "little":
        words.byteswap()
    # A row is five words, the last of them `expires_at`.
    return packed if min(words[4::5], default=t + 1) > t else b"".join(live_rows(packed, t))


def rows_at(mark: Mark, items: Iterable[tuple[bytes, bytes]]) -> list[tuple[int, bytes]]:
    """(bucket, packed rows that are alive) of stored buckets, as of `mark`.

    Raises `Inexact` for a bucket that is ahead of it: a crash came between its write and the mark's.
    """
    rows = []
    for key, value in items:
        bucket, (n, packed) = _KEY.unpack(key)[1], split_bucket(value)
        if n > mark.n:
            raise Inexact(f"bucket {bucket} holds record {n} already")
        rows.append((bucket, alive(packed, mark.t)))
    return rows


def is_newer(value: bytes, than: bytes, key: bytes) -> bool:
    """Whether a stored value is of a later place in the log than another value of the same key."""
    if key != MARKS_KEY:
        return split_bucket(value)[0] > split_bucket(than)[0]
    new, old = (Shard.load({MARKS_KEY: marks}.get).newest for marks in (value, than))
    return old is None or (new is not None and (new.epoch, new.n) > (old.epoch, old.n))
