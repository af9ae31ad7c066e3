"""The table in the clear, page by page."""

from sqlalchemy import and_, or_, select, tuple_
from sqlalchemy.orm import Session

from revocast.issuer.authority.revocations import Revoked
from revocast.issuer.errors import InvalidRequest
from revocast.issuer.storage.live_set import ROW_KEY, selector_of
from revocast.issuer.storage.log import as_row
from revocast.issuer.storage.tables import LiveRow

__all__ = ["list_rows", "rows_since"]


def list_rows(
    session: Session,
    *,
    kind: str | None,
    value: str | None,
    live_at: int | None,
    limit: int,
    after: str | None,
) -> tuple[list[Revoked], str | None]:
    """A page, newest record first, and the cursor of the next one. `live_at` leaves out what expired until then."""
    query = select(LiveRow)
    if kind is not None:
        query = query.where(LiveRow.selector_kind == kind)
    if value is not None:
        query = query.where(or_(LiveRow.value_1 == value, LiveRow.value_2 == value))
    if live_at is not None:
        query = query.where(LiveRow.expires_at > live_at)
    if after is not None:
        epoch, n, *key = _parse(after)
        record = and_(LiveRow.epoch == epoch, LiveRow.n == n)
        older = tuple_(LiveRow.epoch, LiveRow.n) < (epoch, n)
        query = query.where(or_(older, and_(record, tuple_(*ROW_KEY) > tuple_(*key))))
    order = (LiveRow.epoch.desc(), LiveRow.n.desc(), *ROW_KEY)
    found = list(session.scalars(query.order_by(*order).limit(limit + 1)))
    page = [_in_the_clear(row) for row in found[:limit]]
    return page, _cursor(found[limit - 1]) if len(found) > limit else None


def rows_since(session: Session, place: tuple[int, int]) -> list[Revoked]:
    """Every row that the record at `place` or a later one wrote, in order."""
    query = select(LiveRow).where(tuple_(LiveRow.epoch, LiveRow.n) >= place)
    return [_in_the_clear(row) for row in session.scalars(query.order_by(LiveRow.epoch, LiveRow.n, *ROW_KEY))]


def _in_the_clear(stored: LiveRow) -> Revoked:
    return Revoked(
        selector=selector_of(stored),
        row=as_row(stored),
        epoch=stored.epoch,
        n=stored.n,
        t=stored.t,
        actor=stored.actor,
        reason=stored.reason,
    )


def _cursor(row: LiveRow) -> str:
    return f"{row.epoch}.{row.n}.{row.fingerprint.hex()}.{row.kind}.{row.slot}"


def _parse(cursor: str) -> tuple[int, int, bytes, int, int]:
    try:
        epoch, n, fingerprint, kind, slot = cursor.split(".")
        return int(epoch), int(n), bytes.fromhex(fingerprint), int(kind), int(slot)
    except ValueError:
        raise InvalidRequest("after: is not a cursor of this list") from None
