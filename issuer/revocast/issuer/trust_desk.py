"""What the offline root decides, taken into force: delegation lists, event keys, epochs, distrust.

A list is adopted in one transaction under the locked head: which event key signs, in which epoch, and under which list,
follows commit order like everything else on the log. The record that the transaction appends names the new versions, so a
reader that applies it has read the list; where a new epoch opens, it begins the re-issue of the live set.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from revocast.issuer.authority.adoption import Adoption, Situation, judge
from revocast.issuer.authority.event_keys import EVENT_ALGORITHM, EventKey, EventKeyState
from revocast.issuer.authority.revocations import Receipt, Written
from revocast.issuer.authority.terms import Terms
from revocast.issuer.authority.trust_report import TrustReport, report_of
from revocast.issuer.clock import Clock
from revocast.issuer.errors import Conflict, InvalidRequest
from revocast.issuer.key_desk import KeyDesk, write_key_set
from revocast.issuer.keystore import KeyStore
from revocast.issuer.publication import Publication
from revocast.issuer.reissuing import open_epoch, reissue
from revocast.issuer.revoking import audit_rows
from revocast.issuer.storage import Storage
from revocast.issuer.storage.deployment import load_terms, take_root_decisions
from revocast.issuer.storage.log import append, head_of, last_signed, slots_that_change
from revocast.issuer.storage.outbox import write_event
from revocast.issuer.storage.signing_keys import (
    EVENT,
    add_document,
    add_key,
    as_event_key,
    event_keys,
    find_newest_document,
)
from revocast.issuer.storage.tables import Head
from revocast.schemas.audit import AuditType
from revocast.schemas.delegations import DelegationList, Role
from revocast.schemas.events import Envelope
from revocast.schemas.jose import ALGORITHMS
from revocast.schemas.record import MAX_ROWS

__all__ = ["Adopted", "TrustDesk"]

_MAX_PENDING: Final = 16
"""Each is in every answer about trust, and in every adoption. They are as good as a new one, so nobody is locked out."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """A list that is in force: the kid that signs under it, and the record that names it."""

    version: int
    epoch: int
    active: str
    receipt: Receipt


class TrustDesk:
    """Makes event keys and adopts delegation lists."""

    def __init__(
        self,
        storage: Storage,
        keystore: KeyStore,
        publication: Publication,
        clock: Clock,
        *,
        rows_a_step: int = MAX_ROWS,
    ) -> None:
        self._storage = storage
        self._keystore = keystore
        self._publication = publication
        self._clock = clock
        self._rows = rows_a_step
        self._keys = KeyDesk(storage, keystore, publication, clock)

    def report(self) -> TrustReport:
        """See `Service.trust`."""
        with self._storage.read() as session:
            return self.report_in(session)

    def report_in(self, session: Session) -> TrustReport:
        """The same, in a transaction of the caller."""
        terms, head, keys = load_terms(session), head_of(session), _event_keys(session)
        return report_of(_situation(session, terms, head, keys), n=head.n, reissuing=head.live_set_n is None)

    def make_event_key(self, alg: str | None, *, actor: str) -> EventKey:
        """See `Service.make_event_key`."""
        if alg is not None and alg not in ALGORITHMS:
            raise InvalidRequest(f"alg: must be one of {', '.join(ALGORITHMS)}")
        with self._storage.write() as session:
            terms = load_terms(session)
            head_of(session, lock=True)  # or two at once would be counted as one
            if sum(key.state is EventKeyState.PENDING for key in _event_keys(session)) >= _MAX_PENDING:
                raise Conflict(f"event keys: {_MAX_PENDING} are pending; delegate to one of those first")
            new = self._keystore.generate(alg or EVENT_ALGORITHM)
            key = as_event_key(add_key(session, EVENT, new, EventKeyState.PENDING, int(self._clock())))
            data = {"alg": key.alg, "actor": actor}
            write_event(
                session,
                self._clock(),
                AuditType.EVENT_KEY_MADE,
                source=terms.issuer,
                subject=key.kid,
                data=data,
            )
        self._publication.committed()
        return key

    def adopt(self, compact: bytes, *, actor: str) -> Adopted:
        """See `Service.adopt`."""
        with self._storage.write() as session:
            adopted = self.adopt_in(session, compact, actor=actor)
        self._publication.committed()
        return adopted

    def adopt_in(self, session: Session, compact: bytes, *, actor: str) -> Adopted:
        """The same, in a transaction of the caller."""
        head, terms = head_of(session, lock=True), load_terms(session)
        now = self._clock()
        adoption = judge(compact, _situation(session, terms, head, _event_keys(session)), now)
        add_document(session, adoption.listed, compact)
        distrust = adoption.listed.distrust
        take_root_decisions(session, adoption.root, distrusted=distrust.issuer)
        for key in event_keys(session):
            key.state = adoption.states[key.kid]
        session.flush()
        head.delegations = adoption.listed.version
        if adoption.opener is not None:
            open_epoch(head, adoption.listed.epoch, adoption.opener)
        reason = f"delegation list {adoption.listed.version}"
        revoked = self._keys.distrust(session, terms, distrust.kids, actor, reason)
        write_key_set(session, terms, head, self._keystore, max(int(now), head.t))
        _audit(session, terms, adoption, now, actor)
        if adoption.opener is not None:
            reissue(session, terms, head, now, rows=self._rows)
        receipt = self._record(
            session, terms, head, revoked, actor, reason, opened=adoption.opener is not None
        )
        return Adopted(adoption.listed.version, head.epoch, adoption.active, receipt)

    def _record(
        self,
        session: Session,
        terms: Terms,
        head: Head,
        rows: tuple[Written, ...],
        actor: str,
        reason: str,
        *,
        opened: bool,
    ) -> Receipt:
        """The record that names the list: the blocks of distrusted keys, or none. A new epoch has its first one already."""
        now = max(int(self._clock()), head.t)
        changed = bool(slots_that_change(session, [entry.row for entry in rows], now))
        if changed or not opened:
            written = rows if changed else ()
            append(session, head, written, now, issuer=terms.issuer, actor=actor, reason=reason)
        receipt = Receipt(head.epoch, head.n, head.t, rows, changed=changed)
        audit_rows(session, terms.issuer, receipt, actor, reason, self._clock())
        return receipt


def _event_keys(session: Session) -> list[EventKey]:
    return [as_event_key(key) for key in event_keys(session)]


def _situation(session: Session, terms: Terms, head: Head, keys: list[EventKey]) -> Situation:
    document = find_newest_document(session, DelegationList.TYPE)
    in_force = document.compact if document is not None else None
    kids = {key.kid for key in keys} | set(_delegated(in_force))
    return Situation(terms.issuer, terms.root, in_force, head.epoch, keys, last_signed(session, kids))


def _delegated(in_force: bytes | None) -> Iterable[str]:
    if in_force is None:
        return ()
    listed = DelegationList.from_event(Envelope.parse(in_force).event())
    return (key.public.kid for key in listed.keys if key.role is Role.EVENT)


def _audit(session: Session, terms: Terms, adoption: Adoption, now: float, actor: str) -> None:
    listed = adoption.listed
    data = {
        "version": listed.version,
        "epoch": listed.epoch,
        "expires_at": listed.expires_at,
        "root": adoption.root,
        "active": adoption.active,
        "distrust": listed.distrust.model_dump(mode="json"),
        "actor": actor,
    }
    write_event(
        session, now, AuditType.DELEGATIONS_CHANGED, source=terms.issuer, subject=listed.jti, data=data
    )
    if adoption.opener is not None:
        write_event(
            session,
            now,
            AuditType.EPOCH_OPENED,
            source=terms.issuer,
            subject=f"epoch/{listed.epoch}",
            data={"epoch": listed.epoch, "delegations": listed.version, "actor": actor},
        )
