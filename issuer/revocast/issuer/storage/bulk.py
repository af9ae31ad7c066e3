"""Many rows of the table at once, in the driver's own words: as values, with no object of SQLAlchemy for each.

`live_rows` does the same for any record. Here all rows revoke, in records of up to 1,000, a thousand records after each other.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from revocast.issuer.authority.bulk import Bulk, Changed, Times
from revocast.schemas.record import Record
from revocast.schemas.row import Key

__all__ = ["held_times", "write_lines"]

_COLUMNS: Final = (
    "fingerprint, kind, slot, cutoff, expires_at, selector_kind, value_1, value_2, "
    "selector_issuer, epoch, n, t, actor, reason"
)
_VARIES: Final = 8
"""So many of the columns are of the row, the others of the record."""
_REPLACE: Final = (
    "ON CONFLICT (fingerprint, kind, slot) DO UPDATE SET "
    "cutoff = excluded.cutoff, expires_at = excluded.expires_at, value_1 = excluded.value_1, value_2 = excluded.value_2, "
    "epoch = excluded.epoch, n = excluded.n, t = excluded.t, actor = excluded.actor, reason = excluded.reason"
)
_SELECT: Final = "SELECT fingerprint, kind, slot, cutoff, expires_at FROM live_row WHERE fingerprint "
_UPSERT_SQLITE: Final = f"INSERT INTO live_row ({_COLUMNS}) VALUES ({', '.join('?' * 14)}) {_REPLACE}"  # noqa: S608
_UPSERT_POSTGRESQL: Final = (
    f"INSERT INTO live_row ({_COLUMNS}) SELECT row.*, %s, %s, %s, %s, %s, %s FROM unnest("  # noqa: S608
    "%s::bytea[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[]) AS row "
    + _REPLACE
)


def held_times(session: Session, fingerprints: Sequence[bytes]) -> dict[Key, Times]:
    """What stands under these fingerprints, dead rows included."""
    connection = session.connection()
    if _is_postgresql(connection):
        found = connection.exec_driver_sql(f"{_SELECT} = ANY(%s)", (list(fingerprints),))
    else:
        places = ", ".join("?" * len(fingerprints))
        found = connection.exec_driver_sql(f"{_SELECT} IN ({places})", tuple(fingerprints))
    return {(name, kind, slot): (cutoff, end) for name, kind, slot, cutoff, end in found}


def write_lines(session: Session, lines: Iterable[Changed], record: Record, bulk: Bulk, issuer: str) -> None:
    """Bring the table to `record`, whose rows are of these lines, and drop what is dead at its t."""
    connection = session.connection()
    of_record = (issuer, record.epoch, record.n, record.t, bulk.actor, bulk.reason)
    if _is_postgresql(connection):
        columns = [list(column) for column in zip(*_rows(lines), strict=True)]
        connection.exec_driver_sql(_UPSERT_POSTGRESQL, (*of_record, *columns))
        connection.exec_driver_sql("DELETE FROM live_row WHERE expires_at <= %s", (record.t,))
    else:
        connection.exec_driver_sql(_UPSERT_SQLITE, [(*row, *of_record) for row in _rows(lines)])
        connection.exec_driver_sql("DELETE FROM live_row WHERE expires_at <= ?", (record.t,))


def _rows(lines: Iterable[Changed]) -> list[tuple[Any, ...]]:
    rows = {}
    for (fingerprint, values, manner), _, held in lines:
        value_1, value_2 = (*values, None)[:2]
        # One row a slot, as it stands after the record: PostgreSQL refuses to write one twice in a statement.
        rows[fingerprint, manner.flags] = (
            fingerprint,
            manner.code,
            manner.slot,
            *held,
            manner.kind,
            value_1,
            value_2,
        )
    return list(rows.values())


def _is_postgresql(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"
