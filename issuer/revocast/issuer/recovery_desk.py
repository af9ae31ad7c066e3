"""What `recover` reads and writes in the database; see `recovery` for the rules of a run."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy.orm import Session

from revocast.issuer.authority.event_keys import active_of
from revocast.issuer.authority.key_recovery import DocumentReview, Published, recovered_keys
from revocast.issuer.authority.lifecycle import KeyState, TokenKey
from revocast.issuer.authority.recovered import Recovered
from revocast.issuer.authority.recovery import LogReview, Place, Signed
from revocast.issuer.authority.revocations import Written
from revocast.issuer.clock import Clock
from revocast.issuer.errors import LogMismatch
from revocast.issuer.key_desk import KeyDesk, write_key_set
from revocast.issuer.keystore import KeyStore
from revocast.issuer.publication import Publication
from revocast.issuer.reissuing import open_epoch, reissue
from revocast.issuer.storage import Storage
from revocast.issuer.storage.deployment import load_terms
from revocast.issuer.storage.document_recovery import (
    believed_documents,
    take_documents,
    take_keys,
    take_list,
    take_terms,
)
from revocast.issuer.storage.listing import rows_since
from revocast.issuer.storage.log import append, head_of, slots_that_change
from revocast.issuer.storage.outbox import write_event
from revocast.issuer.storage.publishing import compacts_before, stored_compacts, stored_hashes
from revocast.issuer.storage.recovery import (
    SetAside,
    joined_hashes,
    known_names,
    note_foreign,
    replace_table,
    set_aside,
    signed_position,
    start_from_snapshot,
    stored_table,
    take_records,
    unsigned_after,
    written_by,
)
from revocast.issuer.storage.signing_keys import (
    all_documents,
    as_event_key,
    as_token_key,
    event_keys,
    token_keys,
)
from revocast.issuer.storage.snapshots import oldest_place, truncate_to
from revocast.issuer.storage.tables import Head
from revocast.schemas.audit import AuditType
from revocast.schemas.delegations import DelegationList
from revocast.schemas.record import MAX_ROWS, Position
from revocast.schemas.selector import Selector
from revocast.schemas.snapshot import Manifest
from revocast.schemas.table import Table

__all__ = ["RecoveryDesk", "TakenSnapshot"]

_ACTOR: Final = "recover"


@dataclass(frozen=True, slots=True)
class _Plan:
    """What `finish` will write. `makes_way`: the last record that stays, where unsigned ones after it must not."""

    account: Recovered
    new: Sequence[Published]
    keys: Sequence[TokenKey]
    later: Sequence[Signed]
    makes_way: Position | None


@dataclass(frozen=True, slots=True)
class TakenSnapshot:
    """A countersigned snapshot, all of whose chunks were read and are right: `pieces` are they, in order."""

    manifest: Manifest
    pieces: Callable[[], Iterable[bytes]]


class RecoveryDesk:
    """One run on one database: `documents`, then `log`, are fed from Kafka, and `finish` writes what is left."""

    def __init__(
        self, storage: Storage, keystore: KeyStore, clock: Clock, *, dry_run: bool, take_log: bool
    ) -> None:
        self._storage = storage
        self._keystore = keystore
        self._clock = clock
        self._dry_run = dry_run
        self._take_log = take_log
        with storage.read() as session:
            self._terms = load_terms(session)
            head = head_of(session)
            self._restored, self._restored_t = (head.epoch, head.n), head.t
            self._signed = signed_position(session)
            self._known = {document.compact for document in all_documents(session)}
            self._names = known_names(session, self._terms)
            self._joined = joined_hashes(session)
            self._oldest = oldest_place(session)
            # Readers build an epoch's table aside until its live set is closed, and so does this.
            self._building = stored_table(session, head.epoch) if head.live_set_n is None else None
            believed = believed_documents(session)
        self.documents = DocumentReview(self._terms.issuer, self._terms.root, believed)
        self.log = LogReview(self.documents.trust, self._signed, self._stored_hash, self._joined)
        self._snapshot: TakenSnapshot | None = None
        self._begins: Place | None = None
        self._later: list[Signed] = []
        self._taken = self._rows = 0

    # -- where the log begins ---------------------------------------------------------------------------------------

    def is_truncated(self, first: Signed) -> bool:
        """Whether the log, whose first record is this, was truncated further than the database knows."""
        return first.record.cut and first.record.n > 1 and first.place > self._oldest

    def lacks_before(self, first: Signed) -> bool:
        """Whether records that the database never had were before the log's first one, and are nowhere now."""
        epoch, n = first.place
        if epoch == self._signed.epoch:
            return n > self._signed.n + 1
        return epoch > self._signed.epoch

    def log_begins(self, first: Signed, snapshot: TakenSnapshot) -> None:
        """The log was truncated behind this snapshot, or an older one: start from it, if anything before is lacking."""
        if self.lacks_before(first):
            self._snapshot = snapshot
            self._building = None
            self.log = LogReview(
                self.documents.trust,
                self._signed,
                self._stored_hash,
                self._joined,
                snapshot=snapshot.manifest.position,
            )
        else:
            self._begins = first.place

    # -- the log -----------------------------------------------------------------------------------------------------

    def judge(self, records: Sequence[tuple[int, bytes | None, int]]) -> list[Signed]:
        """What is to be taken in of these (claimed n, value, offset)."""
        with self._storage.read() as session:
            numbers = [n for n, _, _ in records]
            stored = stored_compacts(session, self._signed.epoch, numbers)
            older = compacts_before(session, self._signed.epoch, numbers)
        taken = []
        for n, value, offset in records:
            if n in stored and stored[n].compact == value:
                self.log.confirm(n)
            elif value not in older:
                taken += self.log.receive(value, offset)
        return taken

    def take(self, taken: Sequence[Signed]) -> None:
        """Take in the next records: now, unless unsigned ones of this database may have to make way first."""
        # What the copy had unsigned and just as it is on the log is nothing new.
        new = [
            each
            for each in taken
            if each.place > self._restored or self._stored_hash(each.place) != each.hash
        ]
        self._taken += len(new)
        self._rows += sum(len(each.record.rows) for each in new)
        if self._snapshot is not None or self._restored != (self._signed.epoch, self._signed.n):
            self._later += taken
        elif taken and not self._dry_run:
            with self._storage.write() as session:
                self._write(session, head_of(session, lock=True), taken)

    def _write(self, session: Session, head: Head, taken: Sequence[Signed]) -> None:
        for part in _by_table(taken):
            if part[0].record.epoch > head.epoch:
                self._building = Table()
            take_records(session, head, part, self._terms, self._names)
            if self._building is None:
                continue
            for each in part:
                self._building.apply(each.record.rows, each.record.t)
            if part[-1].record.closes_live_set:
                replace_table(session, head, self._building, self._terms)
                self._building = None

    def _stored_hash(self, place: Place) -> bytes | None:
        with self._storage.read() as session:
            return stored_hashes(session, [place]).get(place)

    # -- the end -----------------------------------------------------------------------------------------------------

    def documents_read(self) -> None:
        """The keys topic was read to its end."""
        self.documents.settle()
        if self.documents.trust.key_set is not None:
            self._terms = replace(self._terms, claims=self.documents.trust.key_set.claims)
        kids = (entry.public.kid for key_set in self.documents.key_sets for entry in key_set.issuers[0].keys)
        keys = (Selector.key(self._terms.issuer, kid) for kid in kids)
        self._names = {**self._names, **{self._terms.name(key): key for key in keys}}

    def log_read(self) -> None:
        """The log was read to its end."""
        self.take(self.log.settle())
        if self._snapshot is not None and self.log.anchor is None:
            cut = self._snapshot.manifest
            raise LogMismatch(
                f"the log does not hold record {cut.epoch}/{cut.n}, from which a snapshot is countersigned"
            )

    def finish(self) -> Recovered:
        """Write what is left, in one transaction; the account of the run."""
        with self._storage.read() as session:
            plan = self._plan(session)
        may = self._take_log or not plan.account.foreign or plan.account.event_key is None
        if may and (plan.account.changed or self._begins) and not self._dry_run:
            with self._storage.write() as session:
                head = head_of(session, lock=True)
                self._complete(session, head, plan)
                return replace(plan.account, head=(head.epoch, head.n))
        return plan.account

    def _plan(self, session: Session) -> _Plan:
        trust, now = self.documents.trust, int(self._clock())
        stored = [as_token_key(key) for key in token_keys(session)]
        keys = recovered_keys(stored, self.documents.key_sets, self._terms.issuer, now)
        new = [each for each in self.documents.published if each.compact not in self._known]
        ours = [as_event_key(key) for key in event_keys(session)]
        event_key = active_of(ours, trust.delegations) if trust.delegations else None
        foreign, later = self.log.foreign, self._later
        snapshot = self._snapshot
        if snapshot is None and self._restored[0] != self._signed.epoch:
            # An epoch was opened here that nobody has seen; what the old one brought meanwhile has no place before it.
            foreign, later = [*later, *foreign], []
        makes_way = self._signed if snapshot else self._makes_way(session, later)
        unsigned = unsigned_after(session, makes_way) if makes_way else 0
        if event_key is None and ((makes_way and unsigned) or foreign):
            # Nothing could be written behind the log.
            snapshot, later, makes_way, unsigned = None, [], None, 0
        first = min((each.place for each in foreign), default=None)
        whole = bool(snapshot or later or not self._later)
        end = (self.log.position.epoch, self.log.position.n) if whole else self._restored
        account = Recovered(
            issuer=self._terms.issuer,
            dry_run=self._dry_run,
            restored=self._restored,
            restored_t=self._restored_t,
            head=(end[0], end[1] + unsigned) if makes_way else max(self._restored, end),
            taken=self._taken if whole else 0,
            rows=self._rows if whole else 0,
            again=unsigned,
            lists=sum(isinstance(each.document, DelegationList) for each in new),
            key_sets=sum(not isinstance(each.document, DelegationList) for each in new),
            token_keys=tuple(keys),
            event_key=event_key,
            foreign=tuple(foreign),
            joined=bool(foreign) and self._take_log and event_key is not None and not self._dry_run,
            missing=self.log.missing,
            database_only=tuple(rows_since(session, first)) if first else (),
            snapshot=((snapshot.manifest.epoch, snapshot.manifest.n), snapshot.manifest.rows)
            if snapshot
            else None,
        )
        return _Plan(account, tuple(new), tuple(keys), tuple(later), makes_way)

    def _makes_way(self, session: Session, later: Sequence[Signed]) -> Position | None:
        """The last record that may stay, if unsigned ones of this database stand where the log has others."""
        last = self._signed
        for each in later:
            stored = stored_hashes(session, [each.place]).get(each.place)
            if stored is None:
                return None
            if stored != each.hash:
                return last
            last = Position(*each.place, each.hash, each.record.t)
        return None

    def _complete(self, session: Session, head: Head, plan: _Plan) -> None:
        terms, now = self._terms, int(self._clock())
        aside: list[SetAside] = []
        if plan.account.snapshot is not None and self._snapshot is not None and self.log.anchor is not None:
            pieces = self._snapshot.pieces()
            anchor, names = self.log.anchor, self._names
            aside = start_from_snapshot(session, head, anchor, pieces, self._signed, terms, names)
        elif plan.makes_way is not None:
            touched = {row.fingerprint for each in plan.later for row in each.record.rows}
            aside = set_aside(session, head, plan.makes_way, touched, terms)
        if self._begins is not None:
            truncate_to(session, self._begins)
        if plan.later:
            self._write(session, head, plan.later)
        distrusted = self._take_keys(session, head, plan)
        if plan.account.event_key and slots_that_change(session, [each.row for each in distrusted], head.t):
            reason = "distrusted by the root"
            append(session, head, distrusted, now, issuer=terms.issuer, actor=_ACTOR, reason=reason)
        for record in aside:
            append(
                session,
                head,
                record.written,
                now,
                issuer=terms.issuer,
                actor=record.actor,
                reason=record.reason,
                parts=record.parts,
            )
        if plan.account.joined:
            self._join(session, head, plan.account.foreign)
        listed = self.documents.trust.delegations
        if plan.account.event_key and listed and listed.epoch > head.epoch:
            # Readers wait for this epoch, and a list that is here already the relay would not adopt again.
            open_epoch(head, listed.epoch, self.documents.trust.openers[listed.epoch])
            reissue(session, load_terms(session), head, now)
        write_event(
            session,
            self._clock(),
            AuditType.DATABASE_RECOVERED,
            source=terms.issuer,
            subject=f"{head.epoch}/{head.n}",
            data=_told(plan.account),
        )

    def _take_keys(self, session: Session, head: Head, plan: _Plan) -> tuple[Written, ...]:
        """Lists, key sets and keys; the rows that block what distrusted keys signed."""
        trust, now = self.documents.trust, int(self._clock())
        take_documents(session, head, plan.new, self.documents.on_topic, now)
        if trust.delegations is not None:
            take_list(session, head, self.documents.before, trust.delegations, self._terms.issuer)
        if trust.key_set is not None:
            take_terms(session, trust.key_set, self._terms.issuer)
        take_keys(session, plan.keys)
        terms = load_terms(session)
        desk = KeyDesk(self._storage, self._keystore, Publication(), self._clock)
        kids = trust.delegations.distrust.kids if trust.delegations else ()
        blocks = desk.distrust(session, terms, kids, _ACTOR, "distrusted by the root")
        if not token_keys(session, KeyState.ACTIVE):
            desk.hurry_successor(session, terms, token_keys(session)[0].alg, _ACTOR)
        if plan.account.event_key is not None:
            write_key_set(session, terms, head, self._keystore, now)
        return blocks

    def _join(self, session: Session, head: Head, foreign: Sequence[Signed]) -> None:
        rows = [row for each in foreign for row in each.record.rows if not row.lift]
        reason = "another history of the log"
        for start in range(0, len(rows), MAX_ROWS):
            part = rows[start : start + MAX_ROWS]
            now = max(int(self._clock()), head.t)
            if slots_that_change(session, part, now):
                written = written_by(part, self._terms, self._names)
                append(session, head, written, now, issuer=self._terms.issuer, actor=_ACTOR, reason=reason)
        note_foreign(session, foreign)


def _by_table(taken: Sequence[Signed]) -> Iterator[Sequence[Signed]]:
    """Parts that end where a live set closes, and before an epoch begins."""
    start = 0
    for index, each in enumerate(taken, start=1):
        closes = each.record.closes_live_set
        if closes or index == len(taken) or taken[index].record.epoch != each.record.epoch:
            yield taken[start:index]
            start = index


def _told(account: Recovered) -> dict[str, Any]:
    return {
        "from": list(account.restored),
        "to": list(account.head),
        "records": account.taken,
        "rows": account.rows,
        "written_again": account.again,
        "joined": len(account.foreign) if account.joined else 0,
        "token_keys": [{"kid": key.kid, "state": str(key.state)} for key in account.token_keys],
    }
