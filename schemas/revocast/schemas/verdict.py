"""What a reader made of one Kafka record. Every record gets exactly one final verdict."""

from dataclasses import dataclass
from enum import StrEnum

from revocast.schemas.record import Record

__all__ = ["Outcome", "Verdict"]


class Outcome(StrEnum):
    """The possible ends of a record at a reader."""

    APPLIED = "applied"
    REPLAY = "replay"  # valid, but not newer than what the reader has: ignored and counted
    REJECTED = "rejected"  # not to be believed: counted, dead-lettered and audited by streams
    FORK = "fork"  # signed, the right number, another history: ignored, incomplete
    UPGRADE = "upgrade needed"  # signed, not understood: incomplete, never skipped
    IGNORED = "ignored"  # signed, not understood, and marked as ignorable
    HELD = "held"  # not final yet: a key or an earlier record is awaited


@dataclass(frozen=True, slots=True)
class Verdict:
    """`offset` is the Kafka offset that the caller gave; `reason` is for people and holds no part of the record.

    `record` and `record_hash` are set when a record of the log was applied.
    """

    outcome: Outcome
    offset: int
    reason: str = ""
    record: Record | None = None
    record_hash: bytes = b""
