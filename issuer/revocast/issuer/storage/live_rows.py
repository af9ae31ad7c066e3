"""The table's rows, read and written as many at a time: a record has up to 1,000, and no object of the ORM is made of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Insert, Select, Table, bindparam, delete, func, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from revocast.issuer.authority.revocations import Part, Written
from revocast.issuer.storage.tables import LiveRow
from revocast.schemas.record import Record
from revocast.schemas.row import Key, Row, Slot

__all__ = ["held_rows", "rows_between", "write_changes"]

_TABLE: Final[Table] = LiveRow.metadata.tables[LiveRow.__tablename__]
_COLUMNS: Final = _TABLE.c
_KEY: Final = ("fingerprint", "kind", "slot")
_REWRITTEN: Final = ("cutoff", "expires_at", "epoch", "n", "t", "actor", "reason")
_NAMED: Final = ("value_1", "value_2")
_HELD: Final = select(*(_COLUMNS[name] for name in (*_KEY, "cutoff", "expires_at")))
_DELETE: Final = delete(_TABLE).where(*(_COLUMNS[name] == bindparam(f"key_{name}") for name in _KEY))


def held_rows(session: Session, fingerprints: Iterable[bytes]) -> dict[Key, Row]:
    """What stands under these fingerprints, dead rows included. At most 1,000."""
    return _by_key(session, _HELD.where(_COLUMNS.fingerprint.in_(set(fingerprints))))


def rows_between(session: Session, after: Key, last: Key | None) -> dict[Key, Row]:
    """The rows behind one key up to another (None: up to the end), dead ones included."""
    key = tuple_(*(_COLUMNS[name] for name in _KEY))
    query = _HELD.where(key > after)
    return _by_key(session, query if last is None else query.where(key <= last))


def write_changes(
    session: Session,
    changed: Mapping[Key, Row | None],
    record: Record,
    written: Sequence[Written],
    parts: Sequence[Part],
) -> None:
    """Bring the table to `record`: write the slots that it changes, and drop what is dead at its t.

    `written` are its rows beside what they stand for, `parts` who asked for which of them.
    """
    by = _authors(written, parts)
    kept = [(by[key], row) for key, row in changed.items() if row is not None]
    if kept:
        place = {"epoch": record.epoch, "n": record.n, "t": record.t}
        session.execute(
            _upsert(session), [{**_named(*author), **_values(row), **place} for author, row in kept]
        )
    if emptied := [key for key, row in changed.items() if row is None]:
        session.execute(
            _DELETE, [dict(zip((f"key_{name}" for name in _KEY), key, strict=True)) for key in emptied]
        )
    session.execute(delete(_TABLE).where(_COLUMNS.expires_at <= record.t))
    for loaded in session.identity_map.values():
        if isinstance(loaded, LiveRow):
            session.expire(loaded)  # what was read before is not what is there now


def _by_key(session: Session, query: Select[Any]) -> dict[Key, Row]:
    rows = (
        Row(fingerprint, kind, Slot(slot), cutoff=cutoff, expires_at=expires_at)
        for fingerprint, kind, slot, cutoff, expires_at in session.execute(query)
    )
    return {row.key: row for row in rows}


def _authors(written: Sequence[Written], parts: Sequence[Part]) -> dict[Key, tuple[Written, Part]]:
    """By slot, the last row that went there, and who asked for it."""
    asked = (part for part in parts for _ in range(part.rows))
    return {entry.row.key: (entry, part) for entry, part in zip(written, asked, strict=True)}


def _named(entry: Written, part: Part) -> dict[str, Any]:
    selector = entry.selector
    return {
        "selector_issuer": selector.issuer,
        "selector_kind": selector.kind,
        **dict(zip(_NAMED, (*selector.values, None, None), strict=False)),
        "actor": part.actor,
        "reason": part.reason,
    }


def _values(row: Row) -> dict[str, Any]:
    return {
        "fingerprint": row.fingerprint,
        "kind": row.kind,
        "slot": int(row.slot),
        "cutoff": row.cutoff,
        "expires_at": row.expires_at,
    }


def _upsert(session: Session) -> Insert:
    is_postgresql = session.get_bind().dialect.name == "postgresql"
    insert = postgresql.insert(_TABLE) if is_postgresql else sqlite.insert(_TABLE)
    new = insert.excluded
    replaced: dict[str, ColumnElement[Any]] = {name: new[name] for name in _REWRITTEN}
    # A row whose name is not known does not make one forgotten that is.
    replaced |= {name: func.coalesce(new[name], _COLUMNS[name]) for name in _NAMED}
    return insert.on_conflict_do_update(index_elements=_KEY, set_=replaced)
