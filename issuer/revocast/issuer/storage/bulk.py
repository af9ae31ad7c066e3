"""Many rows of the table at once, in the driver's own words: as values, with no object of SQLAlchemy for each.

`live_rows` does the same for any record. Here all rows revoke, in records of up to 1,000, a thousand records after each other.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from revocast.issuer.authority.bulk import Bulk, Changed, Times
from revocast.schemas.record import Record
from revocast.schemas.row import Key
from revocast.schemas.selector import FINGERPRINT_SIZE

__all__ = ["held_times", "write_lines"]

_COLUMNS: Final = (
    "fingerprint, kind, slot, cutoff, expires_at, selector_kind, value_1, value_2, "
    "selector_issuer, epoch, n, t, actor, reason"
)
_REPLACE: Final = (
    "ON CONFLICT (fingerprint, kind, slot) DO UPDATE SET "
    "cutoff = excluded.cutoff, expires_at = excluded.expires_at, value_1 = excluded.value_1, value_2 = excluded.value_2, "
    "epoch = excluded.epoch, n = excluded.n, t = excluded.t, actor = excluded.actor, reason = excluded.reason"
)
_SELECT: Final = "SELECT fingerprint, kind, slot, cutoff, expires_at FROM live_row WHERE fingerprint "
# One statement for all of them, in which the driver gives the interpreter away once and not with every row. JSON holds no bytes.
_UPSERT_SQLITE: Final = {
    values: f"INSERT INTO live_row ({_COLUMNS}) SELECT "  # noqa: S608
    f"substr(?, 1 + {FINGERPRINT_SIZE} * key, {FINGERPRINT_SIZE}), {', '.join('?' * 5)}, {columns}, {', '.join('?' * 6)} "
    f"FROM json_each(?) WHERE true {_REPLACE}"
    for values, columns in (
        (1, "value, NULL"),
        (2, "json_extract(value, '$[0]'), json_extract(value, '$[1]')"),
    )
}
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


def write_lines(
    session: Session, changed: Sequence[Changed], record: Record, bulk: Bulk, issuer: str
) -> None:
    """Bring the table to `record`, whose rows are of these lines, and drop what is dead at its t."""
    connection = session.connection()
    of_record = (issuer, record.epoch, record.n, record.t, bulk.actor, bulk.reason)
    if _is_postgresql(connection):
        columns = [list(column) for column in zip(*_rows(changed), strict=True)]
        connection.exec_driver_sql(_UPSERT_POSTGRESQL, (*of_record, *columns))
        connection.exec_driver_sql("DELETE FROM live_row WHERE expires_at <= %s", (record.t,))
        return
    for lines, manner, _, held in changed:
        of_run = (manner.code, manner.slot, *held, manner.kind)
        names = b"".join([line.fingerprint for line in lines])
        values = [line.values for line in lines]
        said = json.dumps(
            [value for (value,) in values] if len(values[0]) == 1 else values, ensure_ascii=False
        )
        connection.exec_driver_sql(_UPSERT_SQLITE[len(values[0])], (names, *of_run, *of_record, said))
    connection.exec_driver_sql("DELETE FROM live_row WHERE expires_at <= ?", (record.t,))


def _rows(changed: Iterable[Changed]) -> Iterable[tuple[Any, ...]]:
    # One row a slot, as it stands after the record: PostgreSQL refuses to write one twice in a statement.
    rows = {}
    for lines, manner, _, held in changed:
        of_run = (manner.code, manner.slot, *held, manner.kind)
        for fingerprint, values, _ in lines:
            rows[fingerprint, manner.flags] = (fingerprint, *of_run, *(*values, None)[:2])
    return rows.values()


def _is_postgresql(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"
