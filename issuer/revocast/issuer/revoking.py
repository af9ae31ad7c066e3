"""Revoking and lifting: one request, at most one record, shared with those that came at the same time."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from revocast.issuer.authority.grouping import Group, Request, first_of, merge, rows_asked_for
from revocast.issuer.authority.revocations import Lift, Named, Receipt, Revocation, Revoked
from revocast.issuer.authority.terms import Terms
from revocast.issuer.clock import Clock
from revocast.issuer.errors import InvalidRequest, IssuerError, NotFound
from revocast.issuer.group_commit import GroupCommit
from revocast.issuer.publication import Publication
from revocast.issuer.storage import Storage
from revocast.issuer.storage.deployment import load_terms
from revocast.issuer.storage.listing import list_rows
from revocast.issuer.storage.live_rows import held_rows
from revocast.issuer.storage.live_set import selector_of
from revocast.issuer.storage.log import append, head_of, position_of, rows_of
from revocast.issuer.storage.naming_locks import hold_names
from revocast.issuer.storage.outbox import write_event
from revocast.issuer.storage.tables import Head, LiveRow
from revocast.schemas.audit import AuditType
from revocast.schemas.errors import SchemaError
from revocast.schemas.record import MAX_ROWS
from revocast.schemas.row import NEVER, Slot

__all__ = ["RevocationDesk", "audit_rows"]

_MAX_TEXT: Final = 1024
_ONE_TOKEN_CODES: Final = (0, 1)


class RevocationDesk:
    """Writes the log and reads the table."""

    def __init__(self, storage: Storage, publication: Publication, clock: Clock) -> None:
        self._storage = storage
        self._publication = publication
        self._clock = clock
        self._groups = GroupCommit[Request, Receipt](self._write, first_of)

    def revoke(
        self,
        revocations: Sequence[Revocation],
        lifts: Sequence[Lift],
        *,
        actor: str,
        reason: str,
        dry_run: bool = False,
    ) -> Receipt:
        """See `Service.revoke`."""
        _check_request(revocations, lifts, actor, reason)
        request = Request(tuple(revocations), tuple(lifts), actor, reason)
        if not dry_run:
            return self._groups.submit(request)
        with self._storage.read() as session:
            group = self._plan(session, load_terms(session), head_of(session), [request])
        (answer,) = group.answers
        if isinstance(answer, Exception):
            raise answer
        return replace(answer, dry_run=True)

    def page(
        self, *, kind: str | None, value: str | None, live_only: bool, limit: int, after: str | None
    ) -> tuple[list[Revoked], str | None]:
        """See `Service.list_revocations`."""
        live_at = int(self._clock()) if live_only else None
        with self._storage.read() as session:
            return list_rows(session, kind=kind, value=value, live_at=live_at, limit=limit, after=after)

    def named(self, fingerprint: bytes, slot: Slot) -> Named:
        """See `Service.named`."""
        with self._storage.read() as session:
            for row in rows_of(session, [fingerprint]):
                if row.slot == slot:
                    return selector_of(row)
        raise NotFound("fingerprint: no such row in that slot")

    def let_go(self) -> Receipt | None:
        """Append an empty record when a finite block ran out on a quiet log.

        State is a function of n: without a record the block would outlive its time at every reader. A dead row of one
        token, or of a cutoff, matches no token that is alive, so it may wait for the next record.
        """
        with self._storage.read() as session:
            if not self._overdue(session, int(self._clock())):
                return None
        with self._storage.write() as session:
            terms, head = load_terms(session), head_of(session, lock=True)
            now = int(self._clock())
            if not self._overdue(session, now):
                return None
            record = append(
                session, head, (), now, issuer=terms.issuer, actor="issuer", reason="a block ran out"
            )
        self._publication.committed()
        return Receipt(record.epoch, record.n, record.t, ())

    def _overdue(self, session: Session, now: int) -> bool:
        query = select(LiveRow.fingerprint).where(
            LiveRow.expires_at <= now,
            LiveRow.slot == int(Slot.BLOCK),
            LiveRow.kind.not_in(_ONE_TOKEN_CODES),
        )
        return session.execute(query.limit(1)).first() is not None

    def _write(self, requests: Sequence[Request]) -> Sequence[Receipt | Exception]:
        """One transaction for all of them."""
        with self._storage.write() as session:
            terms = load_terms(session)
            # What is ended is locked before the head: minting holds it shared, and never waits for the head.
            hold_names(session, _named_by(requests, terms))
            head = head_of(session, lock=True)
            group = self._plan(session, terms, head, requests)
            if group.written:
                actor, reason = group.author
                append(
                    session,
                    head,
                    group.written,
                    group.t,
                    issuer=terms.issuer,
                    actor=actor,
                    reason=reason,
                    parts=group.parts,
                )
            now = self._clock()
            for request, answer in zip(requests, group.answers, strict=True):
                if not isinstance(answer, Exception):
                    audit_rows(session, terms.issuer, answer, request.actor, request.reason, now)
        self._publication.committed()
        return group.answers

    def _plan(self, session: Session, terms: Terms, head: Head, requests: Sequence[Request]) -> Group:
        t = max(int(self._clock()), head.t)
        rows = rows_asked_for(requests, terms, t)
        touched = [entry.row.fingerprint for own in rows if not isinstance(own, Exception) for entry in own]
        return merge(requests, rows, position_of(head), held_rows(session, touched), t)


def audit_rows(session: Session, issuer: str, receipt: Receipt, actor: str, reason: str, now: float) -> None:
    """One audit event for each row of a receipt."""
    for entry in receipt.rows:
        row, selector = entry.row, entry.selector
        data: dict[str, object] = {
            "selector": {"issuer": selector.issuer, "kind": selector.kind, "values": list(selector.values)},
            "slot": row.slot.name.lower(),
            "fingerprint": row.fingerprint.hex(),
            "epoch": receipt.epoch,
            "n": receipt.n,
            "t": receipt.t,
            "changed": receipt.changed,
            "actor": actor,
            "reason": reason,
        }
        if not row.lift:
            data["expires_at"] = None if row.expires_at == NEVER else row.expires_at
        if not row.lift and row.slot is Slot.CUTOFF:
            data["cutoff"] = row.cutoff
        event = AuditType.LIFTED if row.lift else AuditType.REVOKED
        write_event(session, now, event, source=issuer, subject=_subject(selector), data=data)


def _named_by(requests: Sequence[Request], terms: Terms) -> Iterator[bytes]:
    for each in (revocation for request in requests for revocation in request.revocations):
        with suppress(IssuerError, SchemaError):  # what is wrong with it is its request's answer
            yield terms.name(each.selector)[0]


def _subject(selector: Named) -> str:
    return "/".join((selector.kind, *selector.values))


def _check_request(revocations: Sequence[Revocation], lifts: Sequence[Lift], actor: str, reason: str) -> None:
    count = len(revocations) + len(lifts)
    if not 1 <= count <= MAX_ROWS:
        raise InvalidRequest(f"rows: a request holds 1 to {MAX_ROWS}, got {count}")
    selectors = [entry.selector for entry in revocations] + [entry.selector for entry in lifts]
    texts = [("actor", actor), ("reason", reason)]
    texts += [("values", value) for selector in selectors for value in selector.values]
    for field, text in texts:
        # PostgreSQL cannot hold NUL in a text, and a value that long names nothing.
        if len(text) > _MAX_TEXT or "\0" in text:
            raise InvalidRequest(f"{field}: must have at most {_MAX_TEXT} characters, and no NUL")
