"""Token-signing keys: announced, taken into use, retired, revoked; each change is one transaction with its key set."""

from collections.abc import Iterable
from typing import Final

from sqlalchemy.orm import Session

from revocast.issuer.authority.lifecycle import KeyState, Step, TokenKey, due, state_after
from revocast.issuer.authority.revocations import Receipt, Revocation, Written
from revocast.issuer.authority.terms import Terms
from revocast.issuer.clock import Clock
from revocast.issuer.errors import Conflict, InvalidRequest, NotFound
from revocast.issuer.keystore import KeyStore
from revocast.issuer.publication import Publication
from revocast.issuer.revoking import audit_rows
from revocast.issuer.storage import Storage
from revocast.issuer.storage.deployment import load_terms
from revocast.issuer.storage.log import append, head_of, slots_that_change
from revocast.issuer.storage.outbox import write_event
from revocast.issuer.storage.signing_keys import (
    TOKEN,
    add_document,
    add_key,
    as_token_key,
    event_key,
    token_keys,
)
from revocast.issuer.storage.tables import Head, SigningKey
from revocast.schemas.audit import AuditType
from revocast.schemas.events import assemble
from revocast.schemas.jose import ALGORITHMS
from revocast.schemas.row import Slot
from revocast.schemas.selector import Selector

__all__ = ["KeyDesk", "write_key_set"]

_EVENT_OF: Final = {
    KeyState.ACTIVE: AuditType.KEY_ACTIVATED,
    KeyState.RETIRING: AuditType.KEY_RETIRING,
    KeyState.RETIRED: AuditType.KEY_RETIRED,
    KeyState.REVOKED: AuditType.KEY_REVOKED,
}
_TIME_OF: Final = {
    KeyState.ACTIVE: "activated_at",
    KeyState.RETIRING: "retiring_at",
    KeyState.RETIRED: "retired_at",
    KeyState.REVOKED: "revoked_at",
}


class KeyDesk:
    """Changes token keys. A change locks the head: key-set versions and records that name them follow commit order."""

    def __init__(self, storage: Storage, keystore: KeyStore, publication: Publication, clock: Clock) -> None:
        self._storage = storage
        self._keystore = keystore
        self._publication = publication
        self._clock = clock

    def keys(self) -> list[TokenKey]:
        """All token keys, newest first."""
        with self._storage.read() as session:
            return [as_token_key(key) for key in token_keys(session)]

    def rotate(self, alg: str | None, *, actor: str) -> TokenKey:
        """See `Service.rotate_key`."""
        if alg is not None and alg not in ALGORITHMS:
            raise InvalidRequest(f"alg: must be one of {', '.join(ALGORITHMS)}")
        with self._storage.write() as session:
            terms, head = load_terms(session), head_of(session, lock=True)
            if token_keys(session, KeyState.ANNOUNCED):
                raise Conflict("key: one is announced already; it signs when its time has come")
            chosen = alg or token_keys(session)[0].alg
            key = self._announce(session, terms, chosen, terms.announce_seconds, actor)
            write_key_set(session, terms, head, self._keystore, int(self._clock()))
            announced = as_token_key(key)
        self._publication.committed()
        return announced

    def revoke(self, kid: str, *, actor: str, reason: str) -> Receipt:
        """See `Service.revoke_key`.

        If it was the active one, its successor signs as soon as Kafka has the key set that announces it: a token that a
        lagging service does not know for a moment is better than none, or than the stolen key's.
        """
        with self._storage.write() as session:
            terms, head = load_terms(session), head_of(session, lock=True)
            now = max(int(self._clock()), head.t)
            keys = {key.kid: key for key in token_keys(session)}
            if kid not in keys:
                raise NotFound("kid: no such token key")
            was_active = keys[kid].state == KeyState.ACTIVE
            self._move(session, terms, keys[kid], Step.REVOKE, now, actor, reason)
            if was_active:
                self.hurry_successor(session, terms, keys[kid].alg, actor)
            write_key_set(session, terms, head, self._keystore, now)
            blocked = Revocation(Selector.key(terms.issuer, kid), Slot.BLOCK)
            rows = tuple(terms.rows([blocked], (), now))
            changed = bool(slots_that_change(session, [entry.row for entry in rows], now))
            if changed:
                append(session, head, rows, now, issuer=terms.issuer, actor=actor, reason=reason)
            receipt = Receipt(head.epoch, head.n, head.t, rows, changed=changed)
            audit_rows(session, terms.issuer, receipt, actor, reason, self._clock())
        self._publication.committed()
        return receipt

    def distrust(
        self, session: Session, terms: Terms, kids: Iterable[str], actor: str, reason: str
    ) -> tuple[Written, ...]:
        """Revoke those of our keys that the root distrusts; the rows that block what they signed. The head is locked.

        The caller writes key set and record.
        """
        now = max(int(self._clock()), head_of(session).t)
        keys = {key.kid: key for key in token_keys(session) if key.state != KeyState.REVOKED}
        distrusted = [keys[kid] for kid in kids if kid in keys]
        was_active = [key for key in distrusted if key.state == KeyState.ACTIVE]
        for key in distrusted:
            self._move(session, terms, key, Step.REVOKE, now, actor, reason)
        for key in was_active:
            self.hurry_successor(session, terms, key.alg, actor)
        blocks = [Revocation(Selector.key(terms.issuer, key.kid), Slot.BLOCK) for key in distrusted]
        return tuple(terms.rows(blocks, (), now))

    def advance(self) -> list[tuple[str, Step]]:
        """Take the steps that time brings; which ones. The relay's process calls it every second."""
        with self._storage.read() as session:
            if not self._due(session, load_terms(session)):
                return []
        with self._storage.write() as session:
            terms, head = load_terms(session), head_of(session, lock=True)
            steps = self._due(session, terms)
            keys = {key.kid: key for key in token_keys(session)}
            now = int(self._clock())
            for kid, step in steps:
                self._move(session, terms, keys[kid], step, now, "issuer", "its time had come")
            if steps:
                write_key_set(session, terms, head, self._keystore, now)
        self._publication.committed()
        return steps

    def _due(self, session: Session, terms: Terms) -> list[tuple[str, Step]]:
        keys = [as_token_key(key) for key in token_keys(session)]
        return due(keys, int(self._clock()), terms.last_token_s)

    def _announce(
        self, session: Session, terms: Terms, alg: str, announce_seconds: int, actor: str
    ) -> SigningKey:
        new = self._keystore.generate(alg)
        now = self._clock()
        key = add_key(session, TOKEN, new, KeyState.ANNOUNCED, int(now), announce_seconds=announce_seconds)
        data = {"alg": alg, "announce_seconds": announce_seconds, "actor": actor}
        write_event(session, now, AuditType.KEY_ANNOUNCED, source=terms.issuer, subject=key.kid, data=data)
        return key

    def hurry_successor(self, session: Session, terms: Terms, alg: str, actor: str) -> None:
        """Have a key announced that signs as soon as Kafka has the key set, which the caller writes. The head is locked."""
        announced = token_keys(session, KeyState.ANNOUNCED)
        if announced:
            announced[0].announce_seconds = 0
        else:
            self._announce(session, terms, alg, 0, actor)

    def _move(
        self, session: Session, terms: Terms, key: SigningKey, step: Step, now: int, actor: str, reason: str
    ) -> None:
        state = state_after(KeyState(key.state), step)
        key.state = state
        setattr(key, _TIME_OF[state], now)
        session.flush()
        data = {"actor": actor, "reason": reason}
        write_event(session, self._clock(), _EVENT_OF[state], source=terms.issuer, subject=key.kid, data=data)


def write_key_set(session: Session, terms: Terms, head: Head, keystore: KeyStore, now: int) -> None:
    """Sign and keep the next key set; `head` is locked. The relay publishes it before any record that names it."""
    head.key_set += 1
    keys = [as_token_key(key) for key in token_keys(session)]
    document = terms.key_set(keys, delegations=head.delegations, version=head.key_set, t=max(now, head.t))
    signing = event_key(session)
    signing_input = document.signing_input(terms.issuer, signing.kid, signing.alg)
    signature = keystore.signer(signing.kid, signing.handle).sign(signing_input)
    add_document(session, document, assemble(signing_input, signature))
