"""The table in the order of its keys, and its rows in the clear."""

from typing import Final

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from revocast.issuer.authority.revocations import Named, Unnamed
from revocast.issuer.storage.tables import LiveRow
from revocast.schemas.selector import FINGERPRINT_SIZE, Selector

__all__ = ["ROW_KEY", "key_of", "live_rows_after", "selector_of"]

ROW_KEY: Final = (LiveRow.fingerprint, LiveRow.kind, LiveRow.slot)


def live_rows_after(session: Session, key: bytes | None, t: int, limit: int) -> list[LiveRow]:
    """The next rows behind `key` (None: from the first) that are alive at `t`."""
    query = select(LiveRow).where(LiveRow.expires_at > t).order_by(*ROW_KEY).limit(limit)
    if key is not None:
        place = (key[:FINGERPRINT_SIZE], key[-2], key[-1])
        query = query.where(tuple_(*ROW_KEY) > place)
    return list(session.scalars(query))


def key_of(stored: LiveRow) -> bytes:
    """A row's key, such that keys sort as rows do."""
    return stored.fingerprint + bytes((stored.kind, stored.slot))


def selector_of(stored: LiveRow) -> Named:
    """What the row refuses, in the clear as far as it is known."""
    values = tuple(value for value in (stored.value_1, stored.value_2) if value is not None)
    if not values and stored.selector_kind != "issuer":
        return Unnamed(stored.selector_issuer, stored.selector_kind, stored.fingerprint)
    return Selector(stored.selector_issuer, stored.selector_kind, values)
