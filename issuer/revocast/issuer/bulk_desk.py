"""Revoking what is in a file: records of up to 1,000 rows, a few of them in a transaction, one audit event for each.

Others wait for a transaction, so it is kept short: between two of them everybody else has his turn.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from revocast.issuer.authority.bulk import Bulk, Changed, Line, Manner, changed_by
from revocast.issuer.authority.revocations import Receipt
from revocast.issuer.authority.terms import Terms
from revocast.issuer.clock import Clock
from revocast.issuer.publication import Publication
from revocast.issuer.storage import Storage
from revocast.issuer.storage.bulk import held_times, write_lines
from revocast.issuer.storage.deployment import load_terms
from revocast.issuer.storage.log import add_record, head_of
from revocast.issuer.storage.naming_locks import hold_names
from revocast.issuer.storage.outbox import write_event
from revocast.issuer.storage.tables import Head
from revocast.schemas.audit import AuditType
from revocast.schemas.record import MAX_ROWS, Record
from revocast.schemas.row import pack_alike
from revocast.schemas.rows import Rows

__all__ = ["LINES_A_TURN", "BulkDesk", "Wrote"]

LINES_A_TURN: Final = 4 * MAX_ROWS
"""In one transaction. More would write faster, and let others wait longer."""


@dataclass(frozen=True, slots=True)
class Wrote:
    """What became of some lines: so many wrote a row, in so many records, and `receipt` is where all of them are in the log."""

    rows: int
    records: int
    receipt: Receipt


class BulkDesk:
    """Writes lines of files. They name what this authority revokes: whoever reads them has checked that."""

    def __init__(self, storage: Storage, publication: Publication, clock: Clock) -> None:
        self._storage = storage
        self._publication = publication
        self._clock = clock

    def write(self, lines: Sequence[Line], bulk: Bulk, allow: Callable[[int], None]) -> Wrote:
        """See `Service.revoke_lines`."""
        with self._storage.write() as session:
            terms = load_terms(session)
            # As for a single revocation: minting holds them shared, so they come before the head.
            hold_names(session, (line.fingerprint for line in lines))
            head = head_of(session, lock=True)
            rows = records = 0
            # Nothing that is looked up from here on is among what waits to be written: so all of it is written together.
            with session.no_autoflush:
                for start in range(0, len(lines), MAX_ROWS):
                    written = self._write_record(
                        session, terms, head, lines[start : start + MAX_ROWS], bulk, allow
                    )
                    rows, records = rows + written, records + bool(written)
            receipt = Receipt(head.epoch, head.n, head.t, (), changed=bool(rows))
        if rows:
            self._publication.committed()
        return Wrote(rows, records, receipt)

    def _write_record(
        self,
        session: Session,
        terms: Terms,
        head: Head,
        lines: Sequence[Line],
        bulk: Bulk,
        allow: Callable[[int], None],
    ) -> int:
        t = max(int(self._clock()), head.t)
        changed = changed_by(lines, held_times(session, [line.fingerprint for line in lines]), t, terms)
        rows = sum(len(run.lines) for run in changed)
        if not rows:
            return 0
        allow(rows)
        record = add_record(
            session, head, _packed(changed), t, issuer=terms.issuer, actor=bulk.actor, reason=bulk.reason
        )
        write_lines(session, changed, record, bulk, terms.issuer)
        write_event(
            session,
            self._clock(),
            AuditType.REVOKED_MANY,
            source=terms.issuer,
            subject=f"bulk/{bulk.operation}",
            data=_told(record, changed, bulk),
        )
        return rows

    def count(self, lines: Sequence[Line]) -> Wrote:
        """What writing them would do."""
        with self._storage.read() as session:
            terms, head = load_terms(session), head_of(session)
            t, rows, records = max(int(self._clock()), head.t), 0, 0
            for start in range(0, len(lines), MAX_ROWS):
                part = lines[start : start + MAX_ROWS]
                held = held_times(session, [line.fingerprint for line in part])
                changed = sum(len(run.lines) for run in changed_by(part, held, t, terms))
                rows, records = rows + changed, records + bool(changed)
            receipt = Receipt(head.epoch, head.n, head.t, (), changed=bool(rows), dry_run=True)
        return Wrote(rows, records, receipt)


def _packed(changed: Sequence[Changed]) -> Rows:
    return Rows(
        b"".join(
            pack_alike((line.fingerprint for line in lines), manner.flags, *row)
            for lines, manner, row, _ in changed
        )
    )


def _told(record: Record, changed: Sequence[Changed], bulk: Bulk) -> dict[str, object]:
    counts = Counter[Manner]()
    for run in changed:
        counts[run.manner] += len(run.lines)
    return {
        "operation": bulk.operation,
        "file": bulk.file,
        "rows": counts.total(),
        "counts": [
            {"kind": manner.kind, "slot": manner.first.slot.name.lower(), "rows": rows}
            for manner, rows in counts.items()
        ],
        "epoch": record.epoch,
        "n": record.n,
        "t": record.t,
        "actor": bulk.actor,
        "reason": bulk.reason,
    }
