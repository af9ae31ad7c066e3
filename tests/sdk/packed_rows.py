"""Tables for the tests of what is packed."""

import hashlib
from collections.abc import Iterable

from revocast.schemas.row import NEVER, Row

__all__ = ["name", "packed", "table_of"]


def name(number: int) -> bytes:
    """A fingerprint as fingerprints are: uniform."""
    return hashlib.sha256(b"%d" % number).digest()[:11]


def packed(rows: Iterable[Row]) -> bytes:
    """The rows as a table."""
    return b"".join(row.pack() for row in sorted(rows, key=lambda row: row.key))


def table_of(count: int, expires_at: int = NEVER) -> bytes:
    """A table of so many blocked subjects, `name(0)` and on."""
    return packed(Row.for_block(name(number), 4, expires_at) for number in range(count))
