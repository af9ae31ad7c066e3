"""The authority at a glance."""

from typing import Final

from sqlalchemy.orm import Session

from revocast.issuer.authority.answers import RelayReport, Status
from revocast.issuer.storage.deployment import load_terms
from revocast.issuer.storage.log import head_of, packed_table, published_place
from revocast.issuer.storage.outbox import backlog
from revocast.issuer.storage.signing_keys import newest_document
from revocast.schemas.delegations import DelegationList
from revocast.schemas.events import Envelope

__all__ = ["delegations_in", "status_of"]

_WARN_BEFORE_S: Final = 60 * 86400


def delegations_in(session: Session) -> DelegationList:
    """The newest delegation list, read."""
    compact = newest_document(session, DelegationList.TYPE).compact
    return DelegationList.from_event(Envelope.parse(compact).event())


def status_of(session: Session, relay: RelayReport, now: float) -> Status:
    """Everything of `Status`, from one consistent state of the database."""
    terms, head = load_terms(session), head_of(session)
    published = published_place(session)
    listed = delegations_in(session)
    table = packed_table(session)
    return Status(
        issuer=terms.issuer,
        root=terms.root,
        epoch=head.epoch,
        n=head.n,
        t=head.t,
        published_n=published.n if published.epoch == head.epoch else 0,
        table=table,
        key_set_version=head.key_set,
        delegations_version=head.delegations,
        delegations_expire_at=listed.expires_at,
        audit_backlog=backlog(session),
        relay=relay,
        warnings=tuple(_warnings(listed, relay, now)),
    )


def _warnings(listed: DelegationList, relay: RelayReport, now: float) -> list[str]:
    warnings = []
    days = int(listed.expires_at - now) // 86400
    if listed.expires_at - now < _WARN_BEFORE_S:
        warnings.append(f"the delegation list expires in {days} days: sign a new one with the root key")
    if relay.problem:
        warnings.append(f"relay: {relay.problem}")
    return warnings
