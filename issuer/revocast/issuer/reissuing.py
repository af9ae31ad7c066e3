"""A new epoch: the live set is issued anew, from the database, in records of at most 1,000 rows.

The database's table L stays what it is, for a new epoch revokes and lifts nothing. Readers build a second table R from the
epoch's records alone, enforce the old one meanwhile, and swap when a record `closes_live_set`. Each step is a transaction of
one record: it holds the head no longer than a revocation does, and the place it got to (`head.reissued`) commits with it, so
a crash repeats nothing and skips nothing. Revocations and lifts commit between the steps. At the closing record R = L,
because of what holds after every record:

* **R ≤ L in every slot**: where R holds a row, L holds one with at least its cutoff and its `expires_at`. Both begin there (R
  is empty). A revocation joins the same row to both, and the join keeps the order; a lift empties both; `expires_at <= t`
  drops a row of R no later than that of L. And where L is empty, R is.
* **R = L up to the place**: a step issues rows as they stand in L at its own t, and joining L's row to a lesser one gives
  L's. Afterwards both take the same rows from the same state.

The last step leaves nothing behind its place, so then R = L; every row of R came from L or from a record that L took as well.

A record of the old epoch that Kafka does not have is not published any more: its effect is in L, and so in the live set.
"""

from typing import Final

from sqlalchemy.orm import Session

from revocast.issuer.authority.revocations import Written
from revocast.issuer.authority.terms import Terms
from revocast.issuer.clock import Clock
from revocast.issuer.publication import Publication
from revocast.issuer.storage import Storage
from revocast.issuer.storage.deployment import load_terms
from revocast.issuer.storage.live_set import key_of, live_rows_after, selector_of
from revocast.issuer.storage.log import append, as_row, head_of
from revocast.issuer.storage.outbox import write_event
from revocast.issuer.storage.tables import Head
from revocast.schemas.audit import AuditType
from revocast.schemas.record import MAX_ROWS, Record

__all__ = ["Reissue", "open_epoch", "reissue"]

_ACTOR: Final = "issuer"


class Reissue:
    """Takes the steps. The relay's process calls it while it publishes."""

    def __init__(
        self, storage: Storage, publication: Publication, clock: Clock, *, rows_a_step: int = MAX_ROWS
    ) -> None:
        self._storage = storage
        self._publication = publication
        self._clock = clock
        self._rows = rows_a_step

    def step(self) -> bool:
        """Issue the next rows; whether there was anything to do."""
        with self._storage.read() as session:
            if head_of(session).live_set_n is not None:
                return False
        with self._storage.write() as session:
            terms, head = load_terms(session), head_of(session, lock=True)
            if head.live_set_n is not None:
                return False
            reissue(session, terms, head, self._clock(), rows=self._rows)
        self._publication.committed()
        return True


def open_epoch(head: Head, epoch: int, opener: bytes) -> None:
    """Go to the epoch's beginning; `head` is locked. Its t stays: time does not go back with an epoch."""
    head.epoch, head.n, head.hash = epoch, 0, opener
    head.live_set_n = head.reissued = None


def reissue(session: Session, terms: Terms, head: Head, now: float, *, rows: int = MAX_ROWS) -> Record:
    """One step behind the locked head: the record of the next rows, which closes the live set if they are the last."""
    found = live_rows_after(session, head.reissued, max(int(now), head.t), rows + 1)
    issued, closes = found[:rows], len(found) <= rows
    place = head.reissued if closes else key_of(issued[-1])
    record = append(
        session,
        head,
        [Written(selector_of(stored), as_row(stored)) for stored in issued],
        int(now),
        issuer=terms.issuer,
        actor=_ACTOR,
        reason=f"epoch {head.epoch}: the live set",
        closes_live_set=closes,
    )
    if closes:
        data = {"epoch": record.epoch, "n": record.n}
        write_event(
            session,
            now,
            AuditType.LIVE_SET_REISSUED,
            source=terms.issuer,
            subject=f"epoch/{record.epoch}",
            data=data,
        )
    else:
        head.reissued = place
    return record
