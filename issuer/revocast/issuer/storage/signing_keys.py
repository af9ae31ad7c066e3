"""Signing keys and the documents that list them."""

from collections.abc import Collection

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from revocast.issuer.authority.event_keys import EventKey, EventKeyState
from revocast.issuer.authority.lifecycle import KeyState, TokenKey
from revocast.issuer.errors import NotInitialized
from revocast.issuer.keystore import NewKey
from revocast.issuer.storage.tables import KeyDocument, SigningKey
from revocast.schemas.delegations import DelegationList
from revocast.schemas.keyset import KeySet

__all__ = [
    "EVENT",
    "TOKEN",
    "add_document",
    "add_key",
    "all_documents",
    "as_event_key",
    "as_token_key",
    "drop_documents",
    "event_key",
    "event_keys",
    "find_newest_document",
    "newest_document",
    "token_keys",
    "unpublished_documents",
]

EVENT = "event"
TOKEN = "token"


def add_key(
    session: Session,
    role: str,
    key: NewKey,
    state: KeyState | EventKeyState,
    now: int,
    *,
    announce_seconds: int = 0,
) -> SigningKey:
    """Keep a key that the key store made."""
    stored = SigningKey(
        kid=key.public.kid,
        role=role,
        alg=key.public.alg,
        jwk=dict(key.public.jwk),
        handle=key.handle,
        state=state,
        created_at=now,
        announce_seconds=announce_seconds,
        activated_at=now if state is KeyState.ACTIVE else None,
    )
    session.add(stored)
    session.flush()
    return stored


def event_key(session: Session) -> SigningKey:
    """The key that signs the log now. Raises `NotInitialized`, saying what to do, when none may."""
    query = select(SigningKey).where(SigningKey.role == EVENT, SigningKey.state == EventKeyState.ACTIVE)
    key = session.scalars(query).one_or_none()
    if key is None and find_newest_document(session, DelegationList.TYPE) is not None:
        raise NotInitialized(
            "the delegation list in force delegates no event key whose private half is here: delegate a new one with "
            "`revocast trust delegate`"
        )
    if key is None:
        raise NotInitialized(
            "no delegation list is in force yet: sign the first one from trust-request.json with the root key, then run "
            "`revocast init --list FILE`"
        )
    return key


def event_keys(session: Session) -> list[SigningKey]:
    """All event keys, oldest first."""
    query = select(SigningKey).where(SigningKey.role == EVENT)
    return list(session.scalars(query.order_by(SigningKey.created_at, SigningKey.kid)))


def token_keys(session: Session, *states: KeyState, share: bool = False) -> list[SigningKey]:
    """Token keys, newest first; with `states` only those. `share` holds their states until the transaction ends."""
    query = select(SigningKey).where(SigningKey.role == TOKEN)
    if states:
        query = query.where(SigningKey.state.in_(states))
    if share:
        query = query.with_for_update(read=True)
    return list(session.scalars(query.order_by(SigningKey.created_at.desc(), SigningKey.kid)))


def as_event_key(stored: SigningKey) -> EventKey:
    """The public side of a stored event key."""
    return EventKey(stored.kid, stored.alg, stored.jwk, EventKeyState(stored.state))


def as_token_key(stored: SigningKey) -> TokenKey:
    """The public side of a stored key."""
    return TokenKey(
        kid=stored.kid,
        alg=stored.alg,
        jwk=stored.jwk,
        state=KeyState(stored.state),
        created_at=stored.created_at,
        announce_seconds=stored.announce_seconds,
        announced_at=stored.announced_at,
        activated_at=stored.activated_at,
        retiring_at=stored.retiring_at,
        retired_at=stored.retired_at,
        revoked_at=stored.revoked_at,
    )


def add_document(session: Session, document: KeySet | DelegationList, compact: bytes) -> None:
    """Keep a signed document; the relay publishes it."""
    delegations = document.delegations if isinstance(document, KeySet) else document.version
    session.add(
        KeyDocument(
            jti=document.jti,
            type=document.TYPE,
            delegations=delegations,
            version=document.version,
            compact=compact,
        )
    )


def newest_document(session: Session, type: str, *, published: bool = False) -> KeyDocument:
    """The newest document of a type; `published`: the newest that Kafka acknowledged. Raises `NotInitialized`."""
    document = find_newest_document(session, type, published=published)
    if document is None:
        raise NotInitialized(f"no document of type {type}: run `revocast init` first")
    return document


def find_newest_document(session: Session, type: str, *, published: bool = False) -> KeyDocument | None:
    """The same, or None."""
    query = select(KeyDocument).where(KeyDocument.type == type)
    if published:
        query = query.where(KeyDocument.published_at.is_not(None))
    newest = query.order_by(KeyDocument.delegations.desc(), KeyDocument.version.desc()).limit(1)
    return session.scalars(newest).first()


def all_documents(session: Session) -> list[KeyDocument]:
    """Every document there was."""
    return list(session.scalars(select(KeyDocument)))


def drop_documents(session: Session, keep: Collection[str]) -> None:
    """Forget what Kafka had, but for the documents of these jtis."""
    session.execute(
        delete(KeyDocument).where(KeyDocument.jti.not_in(keep), KeyDocument.published_at.is_not(None))
    )


def unpublished_documents(session: Session) -> list[KeyDocument]:
    """Documents that Kafka has not acknowledged: delegation lists first, each kind in its order."""
    query = select(KeyDocument).where(KeyDocument.published_at.is_(None))
    return sorted(
        session.scalars(query),
        key=lambda document: (
            document.delegations,
            document.type != DelegationList.TYPE,
            document.version,
        ),
    )
