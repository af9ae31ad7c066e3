"""Audit events on their way to Kafka: written in the transaction of what they tell, deleted once acknowledged."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from revocast.issuer.storage.tables import AuditOutbox
from revocast.schemas.audit import AuditEvent, AuditType

__all__ = ["backlog", "drop_events", "oldest_events", "write_event"]


def write_event(
    session: Session, now: float, type: AuditType, *, source: str, subject: str, data: Mapping[str, Any]
) -> None:
    """Put one event into the outbox. `source` is the issuer's URL."""
    event = AuditEvent.at(now, type, source=source, subject=subject, data=dict(data))
    session.add(AuditOutbox(event_id=event.id, event=event.to_json()))


def oldest_events(session: Session, limit: int) -> list[AuditOutbox]:
    """The next events to publish, in the order of writing."""
    return list(session.scalars(select(AuditOutbox).order_by(AuditOutbox.seq).limit(limit)))


def drop_events(session: Session, seqs: Sequence[int]) -> None:
    """Forget events that Kafka acknowledged."""
    session.execute(delete(AuditOutbox).where(AuditOutbox.seq.in_(seqs)))


def backlog(session: Session) -> int:
    """How many events wait."""
    return session.scalar(select(func.count()).select_from(AuditOutbox)) or 0
