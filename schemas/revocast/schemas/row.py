"""The row: a revocation or a lift as it travels and is stored, 20 bytes.

    offset  size  field
         0    11  fingerprint of the selector
        11     1  flags: bit 7 lift, bit 6 slot (0 cutoff, 1 block), bits 0-5 kind
        12     4  cutoff, seconds since 1970, big-endian; zero unless a cutoff is set
        16     4  expires_at, seconds since 1970, big-endian; all ones = never; zero in a lift

* A cutoff refuses what was issued at or before it: `floor(iat) <= cutoff`. A block refuses everything.
* A lift empties the slot that it names.
* Rows sort by fingerprint, kind and slot. Unused fields are zero, so a row has one encoding.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from itertools import starmap
from typing import Final, Self

from revocast.schemas.errors import MalformedRow
from revocast.schemas.selector import BUILT_IN_KINDS, FINGERPRINT_SIZE, FIRST_CLAIM_CODE

__all__ = [
    "FLAGS_AT",
    "KIND",
    "KNOWN_FLAGS",
    "LIFT",
    "NEVER",
    "ROW_SIZE",
    "SLOT",
    "Key",
    "Row",
    "Slot",
    "pack_alike",
    "pack_fields",
    "pack_rows",
    "unpack_rows",
]

ROW_SIZE: Final = 20
NEVER: Final = 0xFFFFFFFF

_LAYOUT = struct.Struct(">11sBII")
FLAGS_AT: Final = FINGERPRINT_SIZE
LIFT: Final = 0x80
SLOT: Final = 0x40
KIND: Final = 0x3F
_KNOWN_CODES = frozenset(BUILT_IN_KINDS.values()) | frozenset(range(FIRST_CLAIM_CODE, KIND + 1))
KNOWN_FLAGS: Final = bytes(
    lift | slot | code for lift in (0, LIFT) for slot in (0, SLOT) for code in sorted(_KNOWN_CODES)
)
"""Every flags byte that a row can have."""

Key = tuple[bytes, int, int]
"""Where a row belongs: fingerprint, kind, slot. Also the sort order."""


class Slot(IntEnum):
    """The two independent places of a selector."""

    CUTOFF = 0
    BLOCK = 1


@dataclass(frozen=True, slots=True)
class Row:
    """One revocation or lift. `cutoff` and `expires_at` are whole seconds since 1970.

    Raises `MalformedRow`, naming the field, when the fields do not form a row.
    """

    fingerprint: bytes
    kind: int
    slot: Slot
    lift: bool = False
    cutoff: int = 0
    expires_at: int = 0

    def __post_init__(self) -> None:
        if len(self.fingerprint) != FINGERPRINT_SIZE:
            raise MalformedRow(f"fingerprint: {len(self.fingerprint)} bytes instead of {FINGERPRINT_SIZE}")
        if self.kind not in _KNOWN_CODES:
            raise MalformedRow(f"kind: {self.kind} is not assigned")
        if not 0 <= self.cutoff < NEVER:
            raise MalformedRow(f"cutoff: {self.cutoff} is out of range")
        if not 0 <= self.expires_at <= NEVER:
            raise MalformedRow(f"expires_at: {self.expires_at} is out of range")
        if self.lift and (self.cutoff or self.expires_at):
            raise MalformedRow("cutoff and expires_at: must be zero in a lift")
        if not self.lift and not self.expires_at:
            raise MalformedRow("expires_at: must not be zero in a revocation")
        if self.slot is Slot.BLOCK and self.cutoff:
            raise MalformedRow("cutoff: must be zero in a block")

    @classmethod
    def for_cutoff(cls, fingerprint: bytes, kind: int, cutoff: int, expires_at: int) -> Self:
        """Refuse what was issued at or before `cutoff`, until `expires_at`."""
        return cls(fingerprint, kind, Slot.CUTOFF, cutoff=cutoff, expires_at=expires_at)

    @classmethod
    def for_block(cls, fingerprint: bytes, kind: int, expires_at: int) -> Self:
        """Refuse everything, until `expires_at` (`NEVER`: until lifted)."""
        return cls(fingerprint, kind, Slot.BLOCK, expires_at=expires_at)

    @classmethod
    def for_lift(cls, fingerprint: bytes, kind: int, slot: Slot) -> Self:
        """Empty one slot."""
        return cls(fingerprint, kind, slot, lift=True)

    @property
    def key(self) -> Key:
        """Where the row belongs, and its place in the order."""
        return (self.fingerprint, self.kind, self.slot)

    def pack(self) -> bytes:
        """The row's 20 bytes."""
        flags = (LIFT if self.lift else 0) | (SLOT if self.slot else 0) | self.kind
        return _LAYOUT.pack(self.fingerprint, flags, self.cutoff, self.expires_at)

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Read 20 bytes. Raises `MalformedRow` for any that `pack` would not write."""
        if len(data) != ROW_SIZE:
            raise MalformedRow(f"row: {len(data)} bytes instead of {ROW_SIZE}")
        fingerprint, flags, cutoff, expires_at = _LAYOUT.unpack(data)
        return cls(
            fingerprint,
            flags & KIND,
            Slot.BLOCK if flags & SLOT else Slot.CUTOFF,
            lift=bool(flags & LIFT),
            cutoff=cutoff,
            expires_at=expires_at,
        )


def pack_rows(rows: Iterable[Row]) -> bytes:
    """Concatenate rows in the given order (in a record, the order in which they apply)."""
    return b"".join(row.pack() for row in rows)


def pack_fields(rows: Iterable[tuple[bytes, int, int, int]]) -> bytes:
    """The same for rows of (fingerprint, flags, cutoff, expires_at) that were checked when they were written; no object each."""
    return b"".join(starmap(_LAYOUT.pack, rows))


def pack_alike(fingerprints: Iterable[bytes], flags: int, cutoff: int, expires_at: int) -> bytes:
    """The same for rows that differ in nothing but their fingerprints."""
    rest = _LAYOUT.pack(b"", flags, cutoff, expires_at)[FINGERPRINT_SIZE:]
    return rest.join((*fingerprints, b""))


def unpack_rows(data: bytes) -> list[Row]:
    """Inverse of `pack_rows`. Raises `MalformedRow` unless `data` is whole rows."""
    if len(data) % ROW_SIZE:
        raise MalformedRow(f"rows: {len(data)} bytes is not a multiple of {ROW_SIZE}")
    return [Row.unpack(data[start : start + ROW_SIZE]) for start in range(0, len(data), ROW_SIZE)]
