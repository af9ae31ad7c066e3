"""Rows as they stand in a record: packed bytes, checked at once, and `Row` objects only for whoever looks at single ones.

A record carries up to a thousand rows and every guard applies every record: building an object of each row costs more than
all that is done with it. The bytes are checked as strictly as `Row` checks its fields.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self, overload

from revocast.schemas.errors import MalformedRow
from revocast.schemas.row import (
    FLAGS_AT,
    KNOWN_FLAGS,
    LIFT,
    NEVER,
    ROW_SIZE,
    SLOT,
    Row,
    pack_rows,
    unpack_rows,
)

__all__ = ["Rows"]

_FIELDS: Final = struct.Struct(">11xBII")


@dataclass(frozen=True, slots=True, eq=False)
class Rows(Sequence[Row]):
    """An immutable sequence of rows in the order in which they apply. `packed` are their bytes, 20 a row.

    It equals any tuple or list of the same rows. Raises `MalformedRow`, naming the field, for bytes that no rows have.
    """

    packed: bytes = b""

    def __post_init__(self) -> None:
        if not _well_formed(self.packed):
            unpack_rows(self.packed)  # names the field
            raise MalformedRow("rows: are not well-formed")

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Self:
        """The same rows, packed."""
        return rows if isinstance(rows, cls) else cls(pack_rows(rows))

    def __len__(self) -> int:
        return len(self.packed) // ROW_SIZE

    def __iter__(self) -> Iterator[Row]:
        packed = self.packed
        return (Row.unpack(packed[start : start + ROW_SIZE]) for start in range(0, len(packed), ROW_SIZE))

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Row, ...]: ...
    def __getitem__(self, index: int | slice) -> Row | tuple[Row, ...]:
        places = range(0, len(self.packed), ROW_SIZE)[index]
        if isinstance(places, range):
            return tuple(Row.unpack(self.packed[start : start + ROW_SIZE]) for start in places)
        return Row.unpack(self.packed[places : places + ROW_SIZE])

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Rows):
            return self.packed == other.packed
        return tuple(self) == tuple(other) if isinstance(other, tuple | list) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))


def _well_formed(packed: bytes) -> bool:
    """Whether `Row.unpack` takes every row of it."""
    if len(packed) % ROW_SIZE or packed[FLAGS_AT::ROW_SIZE].translate(None, KNOWN_FLAGS):
        return False
    for flags, cutoff, expires_at in _FIELDS.iter_unpack(packed):
        if flags & LIFT:
            if cutoff or expires_at:
                return False
        elif not expires_at or (cutoff and (flags & SLOT or cutoff == NEVER)):
            return False
    return True
