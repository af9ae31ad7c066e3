"""The table: what is revoked after record n, a function of n and of nothing else.

* `step` is the only rule: a row with `expires_at <= t(n)` counts as absent; then the new row lifts its slot or joins it.
* Within a slot revocations join: the later cutoff and the later `expires_at` win. Adding one never revives a token.
* The table at n is its rows that are alive at t(n), sorted by fingerprint, kind and slot, 20 bytes each. Issuer, streams
  and every guard hold the same bytes at the same n. No local clock drops a row.
"""

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Self

from revocast.schemas.errors import MalformedRow
from revocast.schemas.row import (
    FLAGS_AT,
    KIND,
    LIFT,
    ROW_SIZE,
    SLOT,
    Key,
    Row,
    Slot,
    pack_rows,
    unpack_rows,
)

__all__ = ["Table", "merge_packed", "packed_rows", "step", "step_packed"]

_CUTOFF_AT: Final = 12
_EXPIRES_AT: Final = 16


def step(old: Row | None, new: Row, t: int) -> Row | None:
    """What a slot holds after `new` of a record with time `t` was applied to it; None: it is empty."""
    if old is not None and old.expires_at <= t:
        old = None
    if new.lift:
        return None
    if old is None:
        return new if new.expires_at > t else None
    return Row(
        new.fingerprint,
        new.kind,
        new.slot,
        cutoff=max(old.cutoff, new.cutoff),
        expires_at=max(old.expires_at, new.expires_at),
    )


def step_packed(held: bytes, new: bytes, now: bytes) -> bytes:
    """`step` without objects: what one fingerprint's packed, sorted rows are after a packed row was applied.

    `now` is `t` as it stands in a row, 4 bytes, big-endian: numbers of one length compare as bytes do.
    """
    flags = new[FLAGS_AT] & ~LIFT
    kept = [row for row in packed_rows(held) if row[_EXPIRES_AT:] > now and row[FLAGS_AT] != flags]
    if not new[FLAGS_AT] & LIFT:
        cutoff, expires_at = new[_CUTOFF_AT:_EXPIRES_AT], new[_EXPIRES_AT:]
        for old in packed_rows(held):
            if old[FLAGS_AT] == flags and old[_EXPIRES_AT:] > now:
                cutoff, expires_at = (
                    max(cutoff, old[_CUTOFF_AT:_EXPIRES_AT]),
                    max(expires_at, old[_EXPIRES_AT:]),
                )
        if expires_at > now:
            kept.append(new[:_CUTOFF_AT] + cutoff + expires_at)
            kept.sort(key=_kind_and_slot)
    return b"".join(kept)


def _kind_and_slot(row: bytes) -> tuple[int, int]:
    flags = row[FLAGS_AT]
    return (flags & KIND, flags & SLOT)


class Table:
    """All live rows in memory. `t` is the time of the last record applied, in seconds."""

    def __init__(self) -> None:
        self.t = 0
        self._rows: dict[Key, Row] = {}

    @classmethod
    def from_packed(cls, data: bytes, t: int) -> Self:
        """Read the bytes that `pack` wrote. Raises `MalformedRow` when they are not a sorted table at `t`."""
        table = cls()
        table.t = t
        table._rows = {row.key: row for row in _checked(unpack_rows(data), t)}
        return table

    def apply(self, rows: Iterable[Row], t: int) -> None:
        """Apply one record's rows in their order. `t` never decreases along the log."""
        self.t = t
        for row in rows:
            kept = step(self._rows.get(row.key), row, t)
            if kept is None:
                self._rows.pop(row.key, None)
            else:
                self._rows[row.key] = kept

    def get(self, fingerprint: bytes, kind: int, slot: Slot) -> Row | None:
        """The live row of a slot."""
        row = self._rows.get((fingerprint, kind, slot))
        return row if row is not None and row.expires_at > self.t else None

    def drop_expired(self) -> int:
        """Free the memory of rows that no longer count; how many. It changes no answer and no byte."""
        dead = [key for key, row in self._rows.items() if row.expires_at <= self.t]
        for key in dead:
            del self._rows[key]
        return len(dead)

    def pack(self) -> bytes:
        """The canonical bytes at this n."""
        return pack_rows(sorted(self, key=lambda row: row.key))

    def digest(self) -> bytes:
        """SHA-256 of the canonical bytes."""
        return hashlib.sha256(self.pack()).digest()

    def counts(self) -> Mapping[int, int]:
        """Live rows by kind code."""
        counts: dict[int, int] = {}
        for row in self:
            counts[row.kind] = counts.get(row.kind, 0) + 1
        return counts

    def __iter__(self) -> Iterator[Row]:
        return (row for row in self._rows.values() if row.expires_at > self.t)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def merge_packed(packed: bytes, rows: Iterable[Row], t: int) -> bytes:
    """Apply one record's rows to packed, sorted rows; the result is again packed, sorted and without dead rows.

    Raises `MalformedRow` when `packed` is not sorted rows.
    """
    table = Table()
    table._rows = {row.key: row for row in _checked(unpack_rows(packed), 0)}
    table.apply(rows, t)
    return table.pack()


def packed_rows(packed: bytes) -> Iterator[bytes]:
    """The rows one by one, 20 bytes each."""
    return (packed[start : start + ROW_SIZE] for start in range(0, len(packed), ROW_SIZE))


def _checked(rows: list[Row], t: int) -> list[Row]:
    for previous, row in itertools.pairwise(rows):
        if previous.key >= row.key:
            raise MalformedRow("table: rows are not sorted, or one stands twice")
    for row in rows:
        if row.lift or row.expires_at <= t:
            raise MalformedRow("table: a lift or a dead row has no place in it")
    return rows
