"""Cuts: the record on the log, and the table at it as the database gives it.

The read snapshot is opened while the cut holds the head, before it commits: whoever appended before has committed, and whoever
comes after waits. It does not see the cut itself, which changes no row; what expired at the cut's t is left out when rows are
read. Reading them takes seconds where there are millions, and holds up nobody.
"""

import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import IO, Final

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from revocast.issuer.authority.comparison import DerivedChunk, DerivedTable
from revocast.issuer.authority.cutting import CutRule
from revocast.issuer.clock import Clock
from revocast.issuer.publication import Publication
from revocast.issuer.storage import Storage
from revocast.issuer.storage.deployment import load_terms
from revocast.issuer.storage.live_set import packed_buckets
from revocast.issuer.storage.log import append, head_of, position_of
from revocast.issuer.storage.snapshots import is_asked, last_mark, note_cut
from revocast.issuer.storage.tables import Head
from revocast.schemas.chunks import cut_chunks
from revocast.schemas.record import Position
from revocast.schemas.row import ROW_SIZE

__all__ = ["Cut", "CutDesk", "Derived"]

_ACTOR: Final = "issuer"


@dataclass(frozen=True, slots=True)
class Cut:
    """A cut that was taken, and the state of the database at it; `derive` reads and closes that."""

    position: Position
    delegations: int
    key_set: int
    held: Connection

    def derive(self, pause: Callable[[], None]) -> "Derived":
        """Read the table. It takes seconds for millions of rows: in a thread, which `pause` holds up now and then, or ends."""
        packed = tempfile.TemporaryFile()  # noqa: SIM115 - it outlives this call
        try:
            with closing(self.held):
                chunks = []
                for chunk in cut_chunks(packed_buckets(self.held, self.position.t, pause)):
                    packed.write(chunk.rows)
                    chunks.append(DerivedChunk(chunk.sha256, chunk.count, chunk.first, chunk.last))
        except BaseException:
            packed.close()
            raise
        return Derived(DerivedTable(self.position, self.delegations, self.key_set, chunks), packed)


@dataclass(frozen=True, slots=True)
class Derived:
    """The table at a cut, and its packed rows in a file without a name."""

    table: DerivedTable
    packed: IO[bytes]

    def rows_at(self, index: int, count: int) -> bytes:
        """`count` packed rows from row `index` on, or as many as there are."""
        self.packed.seek(index * ROW_SIZE)
        return self.packed.read(count * ROW_SIZE)

    def forget(self) -> None:
        """Give the space back."""
        self.packed.close()


class CutDesk:
    """Takes cuts. The relay's process calls it while it publishes."""

    def __init__(self, storage: Storage, publication: Publication, clock: Clock, rule: CutRule) -> None:
        self._storage = storage
        self._publication = publication
        self._clock = clock
        self._rule = rule

    def is_due(self) -> bool:
        """Whether it is time for one, or somebody asked for one; never while the live set is being re-issued."""
        with self._storage.read() as session:
            return self._is_due(session, head_of(session))

    def take(self) -> Cut | None:
        """Take one; None: it is not time any more."""
        held: Connection | None = None
        try:
            with self._storage.write() as session:
                terms, head = load_terms(session), head_of(session, lock=True)
                if not self._is_due(session, head):
                    return None
                held = self._storage.hold()
                record = append(
                    session,
                    head,
                    (),
                    int(self._clock()),
                    issuer=terms.issuer,
                    actor=_ACTOR,
                    reason="a snapshot is cut",
                    cut=True,
                )
                note_cut(session, record)
                cut = Cut(position_of(head), record.delegations, record.key_set, held)
        except BaseException:
            if held is not None:
                held.close()
            raise
        self._publication.committed()
        return cut

    def _is_due(self, session: Session, head: Head) -> bool:
        if head.live_set_n is None:
            return False
        return is_asked(session) or self._rule.is_due(last_mark(session, head), head.n, int(self._clock()))
