"""The authority at a glance."""

from sqlalchemy.orm import Session

from revocast.issuer.authority.answers import RelayReport, Status
from revocast.issuer.authority.snapshots import alarm_in
from revocast.issuer.storage.deployment import load_terms
from revocast.issuer.storage.log import head_of, packed_table, published_place
from revocast.issuer.storage.outbox import backlog
from revocast.issuer.storage.signing_keys import newest_document
from revocast.issuer.storage.snapshots import snapshots_in
from revocast.schemas.delegating import expiry_warning
from revocast.schemas.delegations import DelegationList
from revocast.schemas.events import Envelope

__all__ = ["delegations_in", "status_of", "warnings_in"]


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
        warnings=tuple(warnings_in(session, relay, now)),
    )


def warnings_in(session: Session, relay: RelayReport, now: float) -> list[str]:
    """What somebody should do something about, a sentence each."""
    head, listed = head_of(session), delegations_in(session)
    warnings = []
    if expiry := expiry_warning(listed.expires_at, now):
        warnings.append(expiry)
    if listed.distrust.issuer:
        warnings.append(
            "the root distrusts this issuer: no token is minted here, and none is accepted anywhere"
        )
    if listed.distrust.kids:
        warnings.append(f"the root distrusts {', '.join(listed.distrust.kids)}: what they signed is refused")
    if head.live_set_n is None:
        warnings.append(
            f"epoch {head.epoch}: the live set is not re-issued yet; services enforce the old table"
        )
    if alarm := alarm_in(snapshots_in(session)):
        warnings.append(
            f"snapshot {alarm.epoch}/{alarm.n}: streams hold another table than this database, and the log is not truncated: "
            f"{alarm.problem}"
        )
    if relay.problem:
        warnings.append(f"relay: {relay.problem}")
    return warnings
