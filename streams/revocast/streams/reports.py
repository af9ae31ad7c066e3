"""What is told about a record that nobody believes: its bytes to the dead letters, an event to audit. And other events.

All can be written twice after a restart. Their keys name the record, so a reader sees one. The worker's own log only gets
a summary now and then: anybody can cause these.
"""

import logging
from collections.abc import Callable
from typing import Any

import faust

from revocast.schemas.audit import AuditEvent, AuditType
from revocast.streams.sending import send

__all__ = ["MAX_DEAD_LETTER", "Reporter"]

log = logging.getLogger(__name__)
MAX_DEAD_LETTER = 64 * 1024
_SUMMARY_SECONDS = 10.0


class Reporter:
    """`source` names the writer in audit; `clock` is the wall clock in seconds."""

    def __init__(
        self, dead_letters: faust.TopicT, audit: faust.TopicT, source: str, clock: Callable[[], float]
    ) -> None:
        self._dead_letters = dead_letters
        self._audit = audit
        self._source = source
        self._clock = clock
        self._told = 0
        self._summary_at = float("-inf")

    async def rejected(self, topic: str, offset: int, reason: str, value: bytes | None) -> None:
        """Tell about one record of partition 0 of a control topic; returns when Kafka has both."""
        place = f"{topic}/0/{offset}"
        self._summarize(place, reason)
        await send(
            self._dead_letters,
            key=place.encode(),
            value=(value or b"")[:MAX_DEAD_LETTER],
            headers={
                "topic": topic.encode(),
                "partition": b"0",
                "offset": str(offset).encode(),
                "reason": reason.encode(),
            },
        )
        await self.tell(
            AuditType.RECORD_REJECTED,
            place,
            {"topic": topic, "partition": 0, "offset": offset, "reason": reason, "bytes": len(value or b"")},
            id=f"rejected/{place}",
        )

    async def tell(self, type: AuditType, subject: str, data: dict[str, Any], *, id: str) -> None:
        """Write one audit event; returns when Kafka has it. `id` is the same for the same happening, told twice."""
        event = AuditEvent.at(self._clock(), type, source=self._source, subject=subject, data=data, id=id)
        await send(self._audit, key=event.key, value=event.to_json())

    def _summarize(self, place: str, reason: str) -> None:
        self._told += 1
        now = self._clock()
        if not 0 <= now - self._summary_at < _SUMMARY_SECONDS:
            log.warning("%d records were not believed; the last, %s: %s", self._told, place, reason)
            self._told, self._summary_at = 0, now
