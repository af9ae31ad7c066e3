"""The table in the order of its keys, and its rows in the clear."""

from collections.abc import Callable, Iterator
from itertools import chain, groupby
from typing import Any, Final

from sqlalchemy import Connection, select, tuple_
from sqlalchemy.orm import Session

from revocast.issuer.authority.revocations import Named, Unnamed
from revocast.issuer.storage.tables import LiveRow
from revocast.schemas.row import pack_fields
from revocast.schemas.selector import FINGERPRINT_SIZE, Selector

__all__ = ["ROW_KEY", "key_of", "live_rows_after", "packed_buckets", "selector_of"]

_BATCH: Final = 2000
# 64 is the slot in the flags of a packed row. SQLite would follow the key's index from row to row, all over the file: reading
# it from end to end and sorting takes half as long, and lets go of the interpreter meanwhile.
_ALIVE: Final = (
    "SELECT fingerprint, kind + slot * 64, cutoff, expires_at FROM live_row {} WHERE expires_at > {} "
    "ORDER BY fingerprint, kind, slot"
)
_ON_SQLITE: Final = _ALIVE.format("NOT INDEXED", "?")
_ON_POSTGRESQL: Final = _ALIVE.format("", "%s")
ROW_KEY: Final = (LiveRow.fingerprint, LiveRow.kind, LiveRow.slot)


def live_rows_after(session: Session, key: bytes | None, t: int, limit: int) -> list[LiveRow]:
    """The next rows behind `key` (None: from the first) that are alive at `t`."""
    query = select(LiveRow).where(LiveRow.expires_at > t).order_by(*ROW_KEY).limit(limit)
    if key is not None:
        place = (key[:FINGERPRINT_SIZE], key[-2], key[-1])
        query = query.where(tuple_(*ROW_KEY) > place)
    return list(session.scalars(query))


def packed_buckets(
    held: Connection, t: int, pause: Callable[[], None] = lambda: None
) -> Iterator[tuple[int, bytes]]:
    """The rows alive at `t`, packed and sorted, by bucket. `held` comes from `Storage.hold`.

    A cursor of the driver's, so that ten million rows are no objects; `pause` is called every 2,000 of them.
    """
    postgresql = held.dialect.name == "postgresql"
    named = ("revocast_live_set",) if postgresql else ()  # or all rows would come at once
    cursor = held.connection.cursor(*named)
    try:
        cursor.execute(_ON_POSTGRESQL if postgresql else _ON_SQLITE, (t,))
        fields = chain.from_iterable(_batches(cursor, pause))
        for prefix, same in groupby(fields, key=lambda row: row[0][:2]):
            yield int.from_bytes(prefix, "big"), pack_fields(same)
    finally:
        cursor.close()


def _batches(cursor: Any, pause: Callable[[], None]) -> Iterator[list[tuple[bytes, int, int, int]]]:
    while found := cursor.fetchmany(_BATCH):
        yield found
        pause()


def key_of(stored: LiveRow) -> bytes:
    """A row's key, such that keys sort as rows do."""
    return stored.fingerprint + bytes((stored.kind, stored.slot))


def selector_of(stored: LiveRow) -> Named:
    """What the row refuses, in the clear as far as it is known."""
    values = tuple(value for value in (stored.value_1, stored.value_2) if value is not None)
    if not values and stored.selector_kind != "issuer":
        return Unnamed(stored.selector_issuer, stored.selector_kind, stored.fingerprint)
    return Selector(stored.selector_issuer, stored.selector_kind, values)
