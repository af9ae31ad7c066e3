"""Audit of what was refused: failed client authentication, operator calls, another client's token.

Anyone can cause these, so they are bounded: a flood must not fill the database. What is left out is counted, and the next
event says how many.
"""

import logging
import threading
from collections.abc import Mapping
from typing import Any, Final

from revocast.issuer.authority.token_bucket import TokenBucket
from revocast.issuer.clock import Clock
from revocast.issuer.errors import StorageUnavailable
from revocast.issuer.service import Service
from revocast.schemas.audit import AuditType

__all__ = ["Denials"]

log = logging.getLogger(__name__)

_BURST: Final = 50
_PER_SECOND: Final = 1.0
_MAX_TEXT: Final = 128


class Denials:
    """Writes at most a burst of 50 events, then one a second, for each process."""

    def __init__(self, service: Service, clock: Clock) -> None:
        self._service = service
        self._clock = clock
        self._lock = threading.Lock()
        self._bucket = TokenBucket(_BURST, _PER_SECOND, clock())
        self._suppressed = 0

    def client(self, client_id: str, endpoint: str) -> None:
        """Client authentication failed. `client_id` is what was claimed."""
        self._record(
            AuditType.ACCESS_DENIED, "client", {"claimed_client_id": client_id, "endpoint": endpoint}
        )

    def operator(self, reason: str, operation: str, client_id: str | None) -> None:
        """An operator call was refused. `client_id` is None unless the token was a good one."""
        self._record(
            AuditType.ACCESS_DENIED,
            "operator",
            {"reason": reason, "operation": operation, "client_id": client_id},
        )

    def token_revocation(self, client_id: str, owner: object) -> None:
        """A client presented another client's token for revocation."""
        self._record(AuditType.TOKEN_REVOCATION_REFUSED, f"client:{client_id}", {"token_of": str(owner)})

    def _record(self, type: AuditType, subject: str, data: Mapping[str, Any]) -> None:
        suppressed = self._admit()
        if suppressed is None:
            return
        bounded = {name: text[:_MAX_TEXT] if isinstance(text, str) else text for name, text in data.items()}
        try:
            self._service.record_audit(type, subject, {**bounded, "suppressed_before": suppressed})
        except StorageUnavailable:
            # The refusal stands whether or not it could be written down.
            log.warning("an audit event was lost: the database is not available")

    def _admit(self) -> int | None:
        """How many events were left out since the last one; None: leave this one out too."""
        with self._lock:
            if self._bucket.take(self._clock()):
                self._suppressed += 1
                return None
            suppressed, self._suppressed = self._suppressed, 0
            return suppressed
