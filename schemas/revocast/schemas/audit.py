"""Audit events: CloudEvents 1.0 in structured JSON mode, on `revocast.audit`.

Dashboards follow this topic. Nothing decides by it. `data` may hold the clear selector, the reason and the actor; never a
token, a key or a secret.
"""

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from uuid import uuid4

from pydantic import Field

from revocast.schemas.events import Model

__all__ = ["AuditEvent", "AuditType"]


class AuditType(StrEnum):
    """The `type` of each event (reverse-DNS, as CloudEvents asks)."""

    REVOKED = "revocast.revoked"
    REVOKED_MANY = "revocast.revoked.many"  # a record of a file: how many rows, not which
    LIFTED = "revocast.lifted"
    KEY_ANNOUNCED = "revocast.key.announced"
    KEY_ACTIVATED = "revocast.key.activated"
    KEY_RETIRING = "revocast.key.retiring"
    KEY_RETIRED = "revocast.key.retired"
    KEY_REVOKED = "revocast.key.revoked"
    DELEGATIONS_CHANGED = "revocast.delegations.changed"
    EVENT_KEY_MADE = "revocast.event-key.made"
    EPOCH_OPENED = "revocast.epoch.opened"
    LIVE_SET_REISSUED = "revocast.live-set.reissued"
    TOKEN_MINTED = "revocast.token.minted"  # by an operator, on behalf of a client
    CLIENT_REGISTERED = "revocast.client.registered"
    RESOURCE_SERVER_REGISTERED = "revocast.resource-server.registered"
    TOKEN_REVOCATION_REFUSED = "revocast.token-revocation.refused"
    ACCESS_DENIED = "revocast.access.denied"
    RECORD_REJECTED = "revocast.record.rejected"
    RECORD_REPLAYED = "revocast.record.replayed"
    PUBLISHING_REFUSED = "revocast.publishing.refused"
    LOG_REPUBLISHED = "revocast.log.republished"
    SNAPSHOT_COUNTERSIGNED = "revocast.snapshot.countersigned"
    SNAPSHOT_DIFFERS = "revocast.snapshot.differs"
    LOG_TRUNCATED = "revocast.log.truncated"
    KEYS_TRUNCATED = "revocast.keys.truncated"
    SNAPSHOT_WRITTEN = "revocast.snapshot.written"
    CUT_ABANDONED = "revocast.cut.abandoned"
    DATABASE_RECOVERED = "revocast.database.recovered"


class AuditEvent(Model):
    """One CloudEvent. `source` is the issuer URL or the streams instance; `subject` what it is about."""

    specversion: Literal["1.0"] = "1.0"
    id: str = Field(min_length=1, max_length=256)
    source: str = Field(min_length=1)
    type: Annotated[AuditType, Field(strict=False)]
    subject: str = Field(min_length=1)
    time: str = Field(description="RFC 3339, UTC")
    datacontenttype: Literal["application/json"] = "application/json"
    data: dict[str, Any]

    @classmethod
    def at(
        cls,
        now: float,
        type: AuditType,
        *,
        source: str,
        subject: str,
        data: dict[str, Any],
        id: str | None = None,
    ) -> Self:
        """An event at `now` (seconds). Give `id` where the same event may be made twice, so that readers see it as one."""
        time = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return cls(id=id or str(uuid4()), source=source, type=type, subject=subject, time=time, data=data)

    @property
    def key(self) -> bytes:
        """The Kafka key: the event's id."""
        return self.id.encode()

    def to_json(self) -> bytes:
        """The Kafka value. ASCII, so that no control character or look-alike reaches a terminal unescaped."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=True, separators=(",", ":")).encode()
