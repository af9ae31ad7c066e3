"""The table in the clear, page by page."""

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from revocast.issuer.authority.revocations import Revoked
from revocast.issuer.errors import InvalidRequest
from revocast.issuer.storage.log import as_row
from revocast.issuer.storage.tables import LiveRow
from revocast.schemas.selector import Selector

__all__ = ["list_rows"]


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
        n, fingerprint, kind_code, slot = _parse(after)
        query = query.where(
            or_(
                LiveRow.n < n,
                and_(LiveRow.n == n, LiveRow.fingerprint > fingerprint),
                and_(LiveRow.n == n, LiveRow.fingerprint == fingerprint, LiveRow.kind > kind_code),
                and_(
                    LiveRow.n == n,
                    LiveRow.fingerprint == fingerprint,
                    LiveRow.kind == kind_code,
                    LiveRow.slot > slot,
                ),
            )
        )
    order = (LiveRow.n.desc(), LiveRow.fingerprint, LiveRow.kind, LiveRow.slot)
    found = list(session.scalars(query.order_by(*order).limit(limit + 1)))
    page = [_in_the_clear(row) for row in found[:limit]]
    return page, _cursor(found[limit - 1]) if len(found) > limit else None


def _in_the_clear(stored: LiveRow) -> Revoked:
    values = tuple(value for value in (stored.value_1, stored.value_2) if value is not None)
    return Revoked(
        selector=Selector(stored.selector_issuer, stored.selector_kind, values),
        row=as_row(stored),
        n=stored.n,
        t=stored.t,
        actor=stored.actor,
        reason=stored.reason,
    )


def _cursor(row: LiveRow) -> str:
    return f"{row.n}.{row.fingerprint.hex()}.{row.kind}.{row.slot}"


def _parse(cursor: str) -> tuple[int, bytes, int, int]:
    try:
        n, fingerprint, kind, slot = cursor.split(".")
        return int(n), bytes.fromhex(fingerprint), int(kind), int(slot)
    except ValueError:
        raise InvalidRequest("after: is not a cursor of this list") from None
