"""The log and the table as they stand in the database.

Whoever appends holds the head row: commit order is n order, without gaps, and the table is always the state at the head.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NotRequired, TypedDict, Unpack

from sqlalchemy import select
from sqlalchemy.orm import Session

from revocast.issuer.authority.answers import LogEntry
from revocast.issuer.authority.log import changes
from revocast.issuer.authority.revocations import Part, Written
from revocast.issuer.errors import NotInitialized
from revocast.issuer.storage.live_rows import held_rows, write_changes
from revocast.issuer.storage.live_set import packed_buckets
from revocast.issuer.storage.signing_keys import event_key
from revocast.issuer.storage.tables import Head, LiveRow, LogRecord, Publication
from revocast.schemas.record import Position, Record
from revocast.schemas.row import ROW_SIZE, Key, Row, Slot, unpack_rows
from revocast.schemas.rows import Rows

__all__ = [
    "add_record",
    "append",
    "apply_rows",
    "as_row",
    "head_of",
    "last_signed",
    "log_after",
    "packed_table",
    "parts_of",
    "position_of",
    "published_place",
    "rows_of",
    "slots_that_change",
]

_THE_ROW = 1


def head_of(session: Session, *, lock: bool = False) -> Head:
    """The head; `lock` makes this transaction the only one that may append. Read the clock after it."""
    head = session.get(Head, _THE_ROW, with_for_update=lock or None, populate_existing=lock)
    if head is None:
        raise NotInitialized("the database is empty: run `revocast init` first")
    return head


def position_of(head: Head) -> Position:
    """The head as a place in the log."""
    return Position(head.epoch, head.n, head.hash, head.t)


def rows_of(session: Session, fingerprints: Iterable[bytes]) -> list[LiveRow]:
    """The stored rows of these selectors, dead ones included. At most 1,000 fingerprints."""
    return list(session.scalars(select(LiveRow).where(LiveRow.fingerprint.in_(set(fingerprints)))))


def slots_that_change(session: Session, rows: Sequence[Row], t: int) -> dict[Key, Row | None]:
    """What a record of time `t` with these rows would change. Empty: no record is needed."""
    return changes(held_rows(session, (row.fingerprint for row in rows)), rows, t)


class Entry(TypedDict):
    """What a record has beside its rows. `parts`: who asked for which of them, where not its own `actor` did for all."""

    issuer: str
    actor: str
    reason: str
    parts: NotRequired[Sequence[Part]]
    closes_live_set: NotRequired[bool]
    cut: NotRequired[bool]


def append(
    session: Session, head: Head, written: Sequence[Written], now: int, **entry: Unpack[Entry]
) -> Record:
    """Append one record after the locked `head`, and bring the table to it."""
    record = add_record(session, head, Rows.of(each.row for each in written), now, **entry)
    parts = entry.get("parts") or [Part(len(written), entry["actor"], entry["reason"])]
    apply_rows(session, record, written, parts)
    return record


def add_record(session: Session, head: Head, rows: Rows, now: int, **entry: Unpack[Entry]) -> Record:
    """The same, but for the table: the caller brings it to the record in the same transaction."""
    key, parts = event_key(session), entry.get("parts", ())
    record = position_of(head).next_record(
        rows,
        now,
        delegations=head.delegations,
        key_set=head.key_set,
        closes_live_set=entry.get("closes_live_set", False),
        cut=entry.get("cut", False),
    )
    signing_input = record.signing_input(entry["issuer"], key.kid, key.alg)
    record_hash = hashlib.sha256(signing_input).digest()
    session.add(
        LogRecord(
            epoch=record.epoch,
            n=record.n,
            t=record.t,
            prev=record.prev,
            hash=record_hash,
            rows=record.rows.packed,
            kid=key.kid,
            signing_input=signing_input,
            actor=entry["actor"],
            reason=entry["reason"],
            parts=[[part.rows, part.actor, part.reason] for part in parts] if len(parts) > 1 else None,
        )
    )
    head.n, head.hash, head.t = record.n, record_hash, record.t
    if record.closes_live_set:
        head.live_set_n, head.reissued = record.n, None
    return record


def packed_table(session: Session) -> bytes:
    """The canonical bytes of the state at the head: what every reader holds at the same n."""
    return b"".join(rows for _, rows in packed_buckets(session.connection(), head_of(session).t))


def log_after(session: Session, epoch: int, n: int, limit: int) -> list[LogEntry]:
    """Records of an epoch after `n`, in order."""
    published = published_place(session)
    acknowledged = (published.epoch, published.n)
    query = select(LogRecord).where(LogRecord.epoch == epoch, LogRecord.n > n)
    return [
        LogEntry(
            epoch=row.epoch,
            n=row.n,
            t=row.t,
            hash=row.hash,
            prev=row.prev,
            rows=tuple(unpack_rows(row.rows)),
            actor=row.actor,
            reason=row.reason,
            parts=tuple(parts_of(row)),
            compact=row.compact,
            published=(row.epoch, row.n) <= acknowledged,
        )
        for row in session.scalars(query.order_by(LogRecord.n).limit(limit))
    ]


def last_signed(session: Session, kids: Iterable[str]) -> dict[str, tuple[int, int]]:
    """By kid, the (epoch, n) of the last record that it signed, or is to sign; without those that never did."""
    query = select(LogRecord.epoch, LogRecord.n).order_by(LogRecord.epoch.desc(), LogRecord.n.desc()).limit(1)
    found = {kid: session.execute(query.where(LogRecord.kid == kid)).first() for kid in kids}
    return {kid: (place.epoch, place.n) for kid, place in found.items() if place is not None}


def published_place(session: Session) -> Publication:
    """How far Kafka acknowledged the log, as far as the relay noted it."""
    place = session.get(Publication, _THE_ROW, populate_existing=True)
    if place is None:
        raise NotInitialized("the database is empty: run `revocast init` first")
    return place


def as_row(stored: LiveRow) -> Row:
    """The stored row as it travels."""
    return Row(
        stored.fingerprint,
        stored.kind,
        Slot(stored.slot),
        cutoff=stored.cutoff,
        expires_at=stored.expires_at,
    )


def parts_of(stored: LogRecord) -> list[Part]:
    """Who asked for which rows of a record, in their order."""
    if stored.parts is None:
        return [Part(len(stored.rows) // ROW_SIZE, stored.actor, stored.reason)]
    return [Part(*part) for part in stored.parts]


def apply_rows(session: Session, record: Record, written: Sequence[Written], parts: Sequence[Part]) -> None:
    """Bring the table from the record before to `record`, whose rows are `written` beside what they stand for."""
    session.flush()
    held = held_rows(session, (row.fingerprint for row in record.rows))
    write_changes(session, changes(held, record.rows, record.t), record, written, parts)
