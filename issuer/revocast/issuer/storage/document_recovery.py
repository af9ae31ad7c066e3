"""Taking the published key documents, and what they say about keys, into a database that was restored."""

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from revocast.issuer.authority.event_keys import EventKeyState, states_under
from revocast.issuer.authority.key_recovery import Published
from revocast.issuer.authority.lifecycle import TokenKey
from revocast.issuer.storage.deployment import take_root_decisions
from revocast.issuer.storage.signing_keys import TOKEN, all_documents, as_event_key, event_keys
from revocast.issuer.storage.tables import Deployment, Head, KeyDocument, SigningKey
from revocast.schemas.delegations import DelegationList
from revocast.schemas.keyset import KeySet

__all__ = ["believed_documents", "take_documents", "take_keys", "take_list", "take_terms"]


def believed_documents(session: Session) -> list[bytes]:
    """What this database knows for certain: the lists, for the root signed them, and the key sets that Kafka has."""
    known = [
        document
        for document in all_documents(session)
        if document.type == DelegationList.TYPE or document.published_at is not None
    ]
    known.sort(key=lambda each: (each.delegations, each.type != DelegationList.TYPE, each.version))
    return [document.compact for document in known]


def take_documents(
    session: Session, head: Head, new: Iterable[Published], on_topic: Collection[bytes], now: int
) -> None:
    """Keep what is new, and note what Kafka has. Key sets of ours that nobody has seen make way: a newer one follows."""
    for stored in all_documents(session):
        if stored.compact in on_topic:
            stored.published_at = stored.published_at or now
        elif stored.type == KeySet.TYPE and stored.published_at is None:
            session.delete(stored)
    session.flush()
    for each in new:
        document = each.document
        session.merge(
            KeyDocument(
                jti=document.jti,
                type=document.TYPE,
                delegations=document.delegations if isinstance(document, KeySet) else document.version,
                version=document.version,
                compact=each.compact,
                published_at=now,
            )
        )
        if isinstance(document, KeySet):
            head.key_set = max(head.key_set, document.version)
    session.flush()


def take_list(
    session: Session, head: Head, before: DelegationList | None, listed: DelegationList, issuer: str
) -> str | None:
    """Bring our event keys under the list in force; the kid that signs, None if its private half is not here."""
    deployment = session.scalars(select(Deployment)).one()
    root = listed.roots.chain(deployment.root, issuer).last.kid
    take_root_decisions(session, root, distrusted=listed.distrust.issuer)
    keys = event_keys(session)
    states = states_under([as_event_key(key) for key in keys], before, listed)
    for key in keys:
        key.state = states[key.kid]
    head.delegations = listed.version
    session.flush()
    return next((kid for kid, state in states.items() if state is EventKeyState.ACTIVE), None)


def take_terms(session: Session, key_set: KeySet, issuer: str) -> None:
    """What the newest key set promised for ever, this database promises too."""
    own, deployment = key_set.of(issuer), session.scalars(select(Deployment)).one()
    deployment.leeway, deployment.claims = key_set.leeway, list(key_set.claims)
    if own is not None:
        deployment.lifetimes = [entry.model_dump() for entry in own.lifetimes]
    session.flush()


def take_keys(session: Session, keys: Sequence[TokenKey]) -> None:
    """Write what changed, and the keys that are known by their public half alone: their handle opens nothing."""
    for key in keys:
        stored = session.get(SigningKey, key.kid)
        if stored is None:
            stored = SigningKey(kid=key.kid, role=TOKEN, alg=key.alg, jwk=dict(key.jwk), handle=b"")
            session.add(stored)
        stored.state, stored.created_at = key.state, key.created_at
        stored.announce_seconds, stored.announced_at = key.announce_seconds, key.announced_at
        stored.activated_at, stored.retiring_at = key.activated_at, key.retiring_at
        stored.retired_at, stored.revoked_at = key.retired_at, key.revoked_at
    session.flush()
