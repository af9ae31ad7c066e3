"""The cuts that were taken, what became of them, and where the log begins since it was truncated."""

from sqlalchemy import delete, select, tuple_
from sqlalchemy.orm import Session

from revocast.issuer.authority.cutting import Mark
from revocast.issuer.authority.snapshots import Snapshot, SnapshotState
from revocast.issuer.errors import NotInitialized
from revocast.issuer.storage.tables import Head, LogRecord, SnapshotTable, Snapshotting
from revocast.schemas.record import Record

__all__ = [
    "ask_for_cut",
    "decide",
    "forget_cuts_after",
    "forget_log",
    "is_asked",
    "last_mark",
    "note_cut",
    "oldest_place",
    "snapshots_in",
    "truncate_to",
]

_THE_ROW = 1
_KEPT_UNDECIDED = 8


def last_mark(session: Session, head: Head) -> Mark:
    """The newest cut of the epoch; before the first one, where the epoch began."""
    query = select(SnapshotTable).where(SnapshotTable.epoch == head.epoch)
    last = session.scalars(query.order_by(SnapshotTable.n.desc()).limit(1)).first()
    if last is not None:
        return Mark(last.n, last.t)
    first = session.get(LogRecord, (head.epoch, 1))
    return Mark(0, first.t if first is not None else head.t)


def note_cut(session: Session, record: Record) -> None:
    """A cut was taken. Of those before it that nobody has compared only the newest few are of interest."""
    session.add(SnapshotTable(epoch=record.epoch, n=record.n, t=record.t, state=SnapshotState.CUT))
    session.flush()
    _snapshotting(session).asked = False
    undecided = select(SnapshotTable).where(SnapshotTable.state == SnapshotState.CUT)
    newest = undecided.order_by(SnapshotTable.epoch.desc(), SnapshotTable.n.desc())
    for stale in session.scalars(newest.offset(_KEPT_UNDECIDED)):
        session.delete(stale)


def decide(session: Session, place: tuple[int, int], rows: int, now: int, problem: str | None) -> None:
    """The cut was compared: countersigned, or what differs."""
    cut = session.get(SnapshotTable, place)
    if cut is not None:
        cut.state = SnapshotState.DIFFERS if problem else SnapshotState.COUNTERSIGNED
        cut.rows, cut.decided_at, cut.problem = rows, now, problem


def forget_cuts_after(session: Session, place: tuple[int, int]) -> None:
    """What was cut after this record was taken back with it: another record may come to stand there."""
    session.execute(delete(SnapshotTable).where(tuple_(SnapshotTable.epoch, SnapshotTable.n) > place))


def snapshots_in(session: Session) -> list[Snapshot]:
    """Every cut that is remembered, in the order of the log."""
    query = select(SnapshotTable).order_by(SnapshotTable.epoch, SnapshotTable.n)
    return [
        Snapshot(row.epoch, row.n, row.t, SnapshotState(row.state), row.rows, row.decided_at, row.problem)
        for row in session.scalars(query)
    ]


def oldest_place(session: Session) -> tuple[int, int]:
    """(epoch, n) of the oldest record that the log must still hold; (0, 1): nothing was ever truncated."""
    row = _snapshotting(session)
    return row.oldest_epoch, row.oldest_n


def truncate_to(session: Session, place: tuple[int, int]) -> None:
    """From now on the log may begin with this record. Cuts before it are of no use any more."""
    row = _snapshotting(session)
    if place > (row.oldest_epoch, row.oldest_n):
        row.oldest_epoch, row.oldest_n = place
        session.execute(delete(SnapshotTable).where(tuple_(SnapshotTable.epoch, SnapshotTable.n) < place))


def ask_for_cut(session: Session) -> None:
    """Somebody wants a cut, whether it is time or not."""
    _snapshotting(session).asked = True


def is_asked(session: Session) -> bool:
    """Whether somebody does."""
    return _snapshotting(session).asked


def forget_log(session: Session, limit: int) -> bool:
    """Forget the next records before the oldest that the log must hold; whether there may be more."""
    place = oldest_place(session)
    before = select(LogRecord.epoch, LogRecord.n).where(tuple_(LogRecord.epoch, LogRecord.n) < place)
    found = [
        tuple(row) for row in session.execute(before.order_by(LogRecord.epoch, LogRecord.n).limit(limit))
    ]
    if found:
        session.execute(delete(LogRecord).where(tuple_(LogRecord.epoch, LogRecord.n) <= found[-1]))
    return len(found) == limit


def _snapshotting(session: Session) -> Snapshotting:
    row = session.get(Snapshotting, _THE_ROW, populate_existing=True)
    if row is None:
        raise NotInitialized("the database is empty: run `revocast init` first")
    return row
