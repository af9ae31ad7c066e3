"""Taking signed records from Kafka into a database that was restored to an earlier moment.

Every function runs in the caller's transaction, behind the locked head. The table is brought along by the one rule of
`authority.log.changes`, so it stays the state at the head. Of a row from the log only the fingerprint is known (`Unnamed`),
unless it is one of `names`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.orm import Session

from revocast.issuer.authority.log import changes
from revocast.issuer.authority.recovery import Signed
from revocast.issuer.authority.revocations import Named, Part, Unnamed, Written
from revocast.issuer.authority.terms import Terms
from revocast.issuer.errors import Conflict
from revocast.issuer.storage.live_rows import rows_between, write_changes
from revocast.issuer.storage.live_set import selector_of
from revocast.issuer.storage.log import as_row, parts_of, published_place, rows_of
from revocast.issuer.storage.snapshots import forget_cuts_after, oldest_place, truncate_to
from revocast.issuer.storage.tables import (
    ClientTable,
    ForeignRecord,
    Head,
    LiveRow,
    LogRecord,
    SigningKey,
)
from revocast.schemas.record import Position, Record
from revocast.schemas.row import Key, Row, pack_rows, unpack_rows
from revocast.schemas.selector import Selector, kind_name
from revocast.schemas.table import Table

__all__ = [
    "Names",
    "SetAside",
    "is_joined",
    "joined_hashes",
    "known_names",
    "note_foreign",
    "replace_table",
    "set_aside",
    "signed_position",
    "start_from_snapshot",
    "stored_table",
    "take_records",
    "unsigned_after",
    "written_by",
]

_ACTOR: Final = "recover"
_REASON: Final = "taken in from the log; the audit topic says who and why"
_CHUNK: Final = 500

Names = Mapping[tuple[bytes, int], Selector]
"""By fingerprint and kind code, the selectors that can be named without having been told."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """A record that nobody has seen, and that makes way for those on the log: it is written again behind them."""

    written: tuple[Written, ...]
    actor: str
    reason: str
    parts: tuple[Part, ...]


def signed_position(session: Session) -> Position:
    """The last record that has its signature: what comes after it, nobody but this database has seen."""
    newest = select(LogRecord).order_by(LogRecord.epoch.desc(), LogRecord.n.desc()).limit(1)
    last = session.scalars(newest.where(LogRecord.compact.is_not(None))).first()
    if last is not None:
        return Position(last.epoch, last.n, last.hash, last.t)
    first = session.scalars(select(LogRecord).order_by(LogRecord.epoch, LogRecord.n).limit(1)).one()
    return Position.opening(first.epoch, first.prev)


def joined_hashes(session: Session) -> set[bytes]:
    """The foreign records that an earlier run joined in."""
    return set(session.scalars(select(ForeignRecord.hash)))


def is_joined(session: Session, record_hash: bytes) -> bool:
    """Whether this foreign record was joined in."""
    return session.get(ForeignRecord, record_hash) is not None


def note_foreign(session: Session, foreign: Iterable[Signed]) -> None:
    """Their rows are in the table: the relay need not refuse because of them once the next epoch is open."""
    session.add_all(ForeignRecord(hash=each.hash, epoch=each.place[0], n=each.place[1]) for each in foreign)


def known_names(session: Session, terms: Terms) -> Names:
    """What can be named without having been told: our keys and clients, and the issuer."""
    clients = list(session.scalars(select(ClientTable.client_id)))
    selectors = [Selector.issuer_wide(terms.issuer)]
    selectors += [Selector.key(terms.issuer, kid) for kid in session.scalars(select(SigningKey.kid))]
    selectors += [Selector.client(terms.issuer, client) for client in clients]
    selectors += [Selector.subject(terms.issuer, client) for client in clients]
    return {terms.name(selector): selector for selector in selectors}


def written_by(rows: Iterable[Row], terms: Terms, names: Names) -> tuple[Written, ...]:
    """Rows from the log beside what they stand for, as far as that is known."""
    return tuple(Written(_name(row, terms, names), row) for row in rows)


def take_records(session: Session, head: Head, taken: Sequence[Signed], terms: Terms, names: Names) -> None:
    """Write the next records, and bring the table to the last of them. One that is there unsigned gets its bytes."""
    at, new = (head.epoch, head.n), []
    for each in taken:
        stored = session.get(LogRecord, each.place) if each.place <= at else None
        if stored is None:
            session.add(_log_record(each))
            new.append(each)
        elif stored.hash != each.hash:
            raise Conflict(
                "an issuer wrote to this database meanwhile; stop every issuer and run recover again"
            )
        else:
            stored.compact = each.compact
    for each in new:
        if each.record.epoch != head.epoch:
            head.epoch, head.live_set_n, head.reissued = each.record.epoch, None, None
        if each.record.closes_live_set:
            head.live_set_n = each.record.n
        head.n, head.hash, head.t = each.record.n, each.hash, each.record.t
    _apply(session, new, terms, names)
    place = published_place(session)
    place.epoch, place.n = taken[-1].place
    place.next_offset, place.first_offset = taken[-1].offset + 1, None


def set_aside(
    session: Session, head: Head, last: Position, touched: Collection[bytes], terms: Terms
) -> list[SetAside]:
    """Take back the unsigned records after `last`, and with them the table: their slots, and those of `touched`."""
    after = select(LogRecord).where(LogRecord.epoch == head.epoch, LogRecord.n > last.n).order_by(LogRecord.n)
    unsigned = [(record, unpack_rows(record.rows)) for record in session.scalars(after)]
    fingerprints = {row.fingerprint for _, rows in unsigned for row in rows} | set(touched)
    live = _live(session, fingerprints)
    names = {row.fingerprint: selector_of(row) for row in live.values()}

    def named(row: Row) -> Named:
        known = names.get(row.fingerprint)
        return known if known and terms.name(known)[1] == row.kind else _name(row, terms, {})

    aside = [_aside(record, rows, named) for record, rows in unsigned if rows]
    for record, _ in unsigned:
        session.delete(record)
    session.flush()
    forget_cuts_after(session, (last.epoch, last.n))
    table, wrote, lifted = Table(), dict[Key, tuple[LogRecord, Part]](), set[Key]()
    truncated = oldest_place(session) > (last.epoch, 1)
    for record in _records(session, last.epoch):
        asked = [part for part in parts_of(record) for _ in range(part.rows)]
        rows = [
            (row, part)
            for row, part in zip(unpack_rows(record.rows), asked, strict=True)
            if row.fingerprint in fingerprints
        ]
        table.apply((row for row, _ in rows), record.t)
        wrote |= {row.key: (record, part) for row, part in rows}
        lifted |= {row.key for row, _ in rows if row.lift}
    table.apply((), last.t)
    held = {row.key: row for row in table}
    for key in live.keys() | held.keys():
        if truncated and key not in lifted:
            # What it held may be written in what was forgotten. It keeps what it joined to that: it is written again.
            continue
        row = held.get(key)
        if row is None:
            session.delete(live[key])
            continue
        stored = live.get(key) or _unnamed_row(session, row, terms)
        record, part = wrote[key]
        _write(stored, row, record.epoch, record.n, record.t)
        stored.actor, stored.reason = part.actor, part.reason
    head.n, head.hash, head.t = last.n, last.hash, last.t
    session.flush()
    return aside


def start_from_snapshot(
    session: Session,
    head: Head,
    anchor: Signed,
    pieces: Iterable[bytes],
    last: Position,
    terms: Terms,
    names: Names,
) -> list[SetAside]:
    """Bring table and log to a snapshot, whose record is `anchor` and whose packed rows come in ascending `pieces`.

    Rows that are the same keep their names. What this database has unsigned after `last` is taken back, to be written again.
    """
    after = tuple_(LogRecord.epoch, LogRecord.n) > (last.epoch, last.n)
    records = session.scalars(select(LogRecord).where(after).order_by(LogRecord.epoch, LogRecord.n))
    unsigned = [(record, unpack_rows(record.rows)) for record in records if record.rows]
    live = _live(session, {row.fingerprint for _, rows in unsigned for row in rows})
    known = {(row.fingerprint, row.kind): selector_of(row) for row in live.values()}

    def named(row: Row) -> Named:
        return known.get((row.fingerprint, row.kind)) or _name(row, terms, names)

    aside = [_aside(record, rows, named) for record, rows in unsigned]
    session.expire_all()
    _replace_rows(session, anchor.record, pieces, terms, names)
    session.execute(delete(LogRecord))
    session.add(_log_record(anchor))
    record = anchor.record
    if head.epoch != record.epoch or head.live_set_n is None:
        head.live_set_n = record.n  # nothing is cut before it is closed
    head.epoch, head.n, head.hash, head.t, head.reissued = record.epoch, record.n, anchor.hash, record.t, None
    place = published_place(session)
    place.epoch, place.n = anchor.place
    place.next_offset, place.first_offset = anchor.offset + 1, None
    session.flush()
    forget_cuts_after(session, (last.epoch, last.n))
    truncate_to(session, anchor.place)
    return aside


def _replace_rows(
    session: Session, record: Record, pieces: Iterable[bytes], terms: Terms, names: Names
) -> None:
    after: Key = (b"", 0, 0)
    for piece in pieces:
        rows = {row.key: row for row in unpack_rows(piece)}
        last = max(rows)
        held = rows_between(session, after, last)
        changed = {key: rows.get(key) for key in rows.keys() | held.keys() if rows.get(key) != held.get(key)}
        written = written_by((row for row in changed.values() if row is not None), terms, names)
        write_changes(session, changed, record, written, [Part(len(written), _ACTOR, _REASON)])
        after = last
    held = rows_between(session, after, None)
    write_changes(session, dict.fromkeys(held), record, (), ())


def _aside(record: LogRecord, rows: Sequence[Row], named: Callable[[Row], Named]) -> SetAside:
    written = tuple(Written(named(row), row) for row in rows)
    return SetAside(written, record.actor, record.reason, tuple(parts_of(record)))


def unsigned_after(session: Session, last: Position) -> int:
    """How many records with rows would be taken back."""
    after = tuple_(LogRecord.epoch, LogRecord.n) > (last.epoch, last.n), LogRecord.rows != b""
    return session.scalar(select(func.count()).select_from(LogRecord).where(*after)) or 0


def stored_table(session: Session, epoch: int) -> Table:
    """The table that the epoch's records alone make: what readers build aside until its live set is closed."""
    table = Table()
    for record in _records(session, epoch):
        table.apply(unpack_rows(record.rows), record.t)
    return table


def replace_table(session: Session, head: Head, table: Table, terms: Terms) -> None:
    """Readers swap to this table where an epoch's live set closes, and so does the database: rows that it lacks go."""
    rows = {row.key: row for row in table}
    for stored in session.scalars(select(LiveRow)):
        row = rows.pop(as_row(stored).key, None)
        if row is None:
            session.delete(stored)
        elif row != as_row(stored):
            _write(stored, row, head.epoch, head.n, head.t)
    for row in rows.values():
        stored = _unnamed_row(session, row, terms)
        _write(stored, row, head.epoch, head.n, head.t)
        stored.actor, stored.reason = _ACTOR, _REASON
    session.flush()


def _apply(session: Session, taken: Sequence[Signed], terms: Terms, names: Names) -> None:
    if not taken:
        return
    live = _live(session, {row.fingerprint for each in taken for row in each.record.rows})
    held = {key: as_row(row) for key, row in live.items()}
    wrote: dict[Key, Signed] = {}
    for each in taken:
        for key, row in changes(held, each.record.rows, each.record.t).items():
            wrote[key] = each
            if row is None:
                held.pop(key, None)
            else:
                held[key] = row
    for key, each in wrote.items():
        if key not in held:
            if key in live:
                session.delete(live[key])
            continue
        row = held[key]
        stored = live.get(key) or _unnamed_row(session, row, terms)
        _write(stored, row, each.record.epoch, each.record.n, each.record.t)
        stored.actor, stored.reason = _ACTOR, _REASON
        if values := _name(row, terms, names).values:
            stored.value_1, stored.value_2 = (*values, None)[:2]
    session.flush()
    session.execute(delete(LiveRow).where(LiveRow.expires_at <= taken[-1].record.t))


def _log_record(each: Signed) -> LogRecord:
    record = each.record
    return LogRecord(
        epoch=record.epoch,
        n=record.n,
        t=record.t,
        prev=record.prev,
        hash=each.hash,
        rows=pack_rows(record.rows),
        kid=each.kid,
        signing_input=each.compact.rpartition(b".")[0],
        compact=each.compact,
        actor=_ACTOR,
        reason=_REASON,
    )


def _name(row: Row, terms: Terms, names: Names) -> Named:
    known = names.get((row.fingerprint, row.kind))
    return known or Unnamed(terms.issuer, kind_name(row.kind, terms.claims), row.fingerprint)


def _unnamed_row(session: Session, row: Row, terms: Terms) -> LiveRow:
    stored = LiveRow(
        fingerprint=row.fingerprint,
        kind=row.kind,
        slot=int(row.slot),
        selector_issuer=terms.issuer,
        selector_kind=kind_name(row.kind, terms.claims),
    )
    session.add(stored)
    return stored


def _write(stored: LiveRow, row: Row, epoch: int, n: int, t: int) -> None:
    stored.cutoff, stored.expires_at = row.cutoff, row.expires_at
    stored.epoch, stored.n, stored.t = epoch, n, t


def _live(session: Session, fingerprints: Collection[bytes]) -> dict[Key, LiveRow]:
    wanted = list(fingerprints)
    chunks = (wanted[start : start + _CHUNK] for start in range(0, len(wanted), _CHUNK))
    return {as_row(row).key: row for chunk in chunks for row in rows_of(session, chunk)}


def _records(session: Session, epoch: int) -> Iterator[LogRecord]:
    query = select(LogRecord).where(LogRecord.epoch == epoch).order_by(LogRecord.n)
    yield from session.scalars(query.execution_options(yield_per=_CHUNK))
