"""What `recover` found and did, and what it cannot know."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from revocast.issuer.authority.lifecycle import TokenKey
from revocast.issuer.authority.recovery import Place, Signed
from revocast.issuer.authority.revocations import Revoked

__all__ = ["CANNOT_KNOW", "NextStep", "Recovered"]

CANNOT_KNOW: Final = (
    "clients, services and operators that were registered after the backup: register them again",
    "clients that were disabled or whose access was changed after the backup: change it again",
    "revocations that were answered `pending`, not `published`, and never reached Kafka: ask for them again",
    "audit events that had not reached Kafka",
    "selector, reason and actor of what was taken in: the audit topic has them; here it is known by fingerprint",
)
"""What was in the lost database alone."""


class NextStep(StrEnum):
    """What is left to do."""

    START = "start"  # start the issuer: it publishes
    EVENT_KEY = "event_key"  # no private half of an event key that may sign: delegate a new one
    NEW_EPOCH = "new_epoch"  # two histories, or records that are nowhere: open a new epoch
    TAKE_LOG = "take_log"  # the same, and first join in what only the log has


@dataclass(frozen=True, slots=True)
class Recovered:
    """The account of one run. `restored` is where the database stood, `head` where it stands now (`dry_run`: would stand).

    `taken` counts records, `again` those of our own that were pending and stand behind them now. `foreign` is on the topic
    and not in the database's history; `database_only` are revocations of the database that Kafka has otherwise. `snapshot`:
    the log was truncated beyond the database, and the table at this place, with so many rows, was taken in first.
    """

    issuer: str
    dry_run: bool
    restored: Place
    restored_t: int
    head: Place
    taken: int
    rows: int
    again: int
    lists: int
    key_sets: int
    token_keys: tuple[TokenKey, ...]
    event_key: str | None
    foreign: tuple[Signed, ...] = ()
    joined: bool = False
    missing: tuple[Place, Place] | None = None
    database_only: tuple[Revoked, ...] = field(default=())
    snapshot: tuple[Place, int] | None = None
    seconds: float = 0.0

    @property
    def changed(self) -> bool:
        """Whether there was anything to take in."""
        return bool(self.snapshot or self.taken or self.lists or self.key_sets or self.again or self.joined)

    @property
    def next_step(self) -> NextStep:
        """What is left to do."""
        if not self.event_key:
            return NextStep.EVENT_KEY
        if self.foreign:
            return NextStep.NEW_EPOCH if self.joined else NextStep.TAKE_LOG
        return NextStep.START
