"""What the guard still lacks, in plain words: the rule by which it becomes ready, and by which it stops being so.

To become ready everything must be there: keys and delegations at least the newest checkpoint's, the log contiguous to its n.
Once ready, a checkpoint may be a moment ahead of its record (two topics, two connections). Only when an end offset that was
asked after the checkpoint arrived has been reached without the record, and two seconds have passed, is the record lost.

Who began from a local copy has been further than nothing: the newest checkpoint must reach that place. If it lies before it, log and
checkpoints were put back to an earlier state, and revocations that were acknowledged since may be gone from them: not ready.
"""

from typing import NamedTuple

from revocast.schemas.chain import GAP_SECONDS, Chain, Flaw
from revocast.schemas.checkpoint import Checkpoint
from revocast.schemas.record import Position
from revocast.schemas.trust import Trust
from revocast.sdk.freshness import Freshness, State, Topic
from revocast.sdk.instant import Instant
from revocast.sdk.recovery import Cure

__all__ = ["Floor", "Readiness"]


class Floor(NamedTuple):
    """The newest that an earlier run accepted: the delegation list's version, and the key set's (delegations, version)."""

    delegations: int = 0
    key_set: tuple[int, int] = (0, 0)


class Readiness:
    """Reads the trust, the chain and the freshness of one core; writes none of them."""

    def __init__(self, trust: Trust, chain: Chain, freshness: Freshness, floor: Floor) -> None:
        self._trust = trust
        self._chain = chain
        self._freshness = freshness
        self._floor = floor
        self._awaited: tuple[Checkpoint, float] | None = None
        self._rereading_since: float | None = None
        self._began: Position | None = None

    def begin_at(self, position: Position) -> None:
        """The chain goes on from here, where a table was whole."""
        self._began = position

    def reread(self, now: Instant) -> None:
        """The log is about to be read again; until its end is reached, another time would bring nothing."""
        self._rereading_since = now.monotonic

    def update(self, now: Instant) -> None:
        """Take in what changed in the chain, the trust and the freshness."""
        newest = self._chain.checkpoint
        if self._awaited and (self._reached(self._awaited[0]) or not _covers(newest, self._awaited[0])):
            self._awaited = None
        if self._awaited is None and newest and not self._reached(newest):
            self._awaited = (newest, now.monotonic)
        since = self._rereading_since
        if since is not None and self._freshness.end_asked(Topic.LOG) >= since:
            self._rereading_since = None

    def flaws(self, now: Instant) -> list[str]:
        """Each a sentence; empty: nothing is missing. Call `update` first."""
        if self._trust.delegations is None:
            return [
                "no delegation list that the pinned root signed has been read"
            ]  # and so nothing else either
        found = [*self._not_read(), *self._chain_flaws()]
        if self._trust.misread:
            found.append("the keys topic holds a signed event that this version does not understand: upgrade")
        if self._freshness.state is State.READY:
            lost = self.lost(now)
            return [*found, lost] if lost else found
        behind = self._behind()
        return [*found, behind] if behind else found

    def lost(self, now: Instant) -> str:
        """What the newest checkpoint names and the topics do not hold; empty: nothing."""
        if self._awaited is None:
            return ""
        checkpoint, since = self._awaited
        topic = Topic.LOG if self._has_keys_of(checkpoint) else Topic.KEYS
        if now.monotonic - since < GAP_SECONDS or self._freshness.end_asked(topic) <= since:
            return ""
        if topic is Topic.KEYS:
            return "the keys topic ends before the key versions that the issuer has signed for"
        return (
            f"the log ends before record {checkpoint.epoch}/{checkpoint.n}, which the issuer has signed for"
        )

    def cure(self, now: Instant) -> Cure:
        """What may help; nothing also while the log is being read again."""
        flaws = self._chain.flaws
        if self._trust.misread or Flaw.UPGRADE in flaws:
            return Cure.NOTHING
        if Flaw.FORK in flaws:
            return Cure.ANEW
        if self._rereading_since is None and (Flaw.GAP in flaws or self.lost(now)):
            return Cure.REREAD
        return Cure.NOTHING

    def _not_read(self) -> list[str]:
        found = [
            f"the {topic} topic has not been read to its end"
            for topic in Topic
            if not self._freshness.has_seen_end(topic)
        ]
        if self._trust.delegations and self._trust.delegations.version < self._floor.delegations:
            found.append("the delegation list is older than one that an earlier run has seen")
        elif self._trust.key_set is None:
            found.append("no key set has been read")
        if self._chain.checkpoint is None:
            found.append("no checkpoint of the issuer has been read")
        elif self._began and not _reaches(self._chain.checkpoint, self._began):
            found.append(
                f"the newest checkpoint lies before record {self._began.epoch}/{self._began.n}, from which this reader "
                "went on: log and checkpoints were put back to an earlier state"
            )
        return found

    def _chain_flaws(self) -> list[str]:
        position, missing = self._chain.position, self._chain.missing
        start = "no record of the log has been applied"
        if missing:
            start += f": it does not begin with record {missing}, and no snapshot to begin from was found"
        words = {
            Flaw.START: start,
            Flaw.EPOCH: "the issuer is re-issuing the live set of a new epoch, and it is not whole yet",
            Flaw.GAP: f"record {missing} of the log is missing"
            if missing
            else "records of the log are missing",
            Flaw.FORK: f"the log holds another history than the one read up to record {position.n if position else 0}",
            Flaw.UPGRADE: "the log holds a signed event that this version does not understand: upgrade",
        }
        flaws = self._chain.flaws
        return [words[flaw] for flaw in ((Flaw.START,) if Flaw.START in flaws else flaws)]

    def _behind(self) -> str:
        newest, position = self._chain.checkpoint, self._chain.position
        if newest is None or self._reached(newest):
            return ""
        if not self._has_keys_of(newest):
            return "key versions that the newest checkpoint names have not been read"
        at = f"{position.epoch}/{position.n}" if position else "the start"
        return f"the log has been read to {at} of {newest.epoch}/{newest.n}"

    def _has_keys_of(self, checkpoint: Checkpoint) -> bool:
        delegations, key_set = self._trust.versions
        return delegations >= checkpoint.delegations and key_set >= checkpoint.key_set

    def _reached(self, checkpoint: Checkpoint) -> bool:
        position = self._chain.position
        return (
            self._has_keys_of(checkpoint)
            and position is not None
            and (position.epoch, position.n) >= (checkpoint.epoch, checkpoint.n)
        )


def _covers(newest: Checkpoint | None, awaited: Checkpoint) -> bool:
    # What is older than one that is awaited came after the signer of that one was compromised.
    return newest is not None and newest.order >= awaited.order


def _reaches(newest: Checkpoint, position: Position) -> bool:
    return (newest.epoch, newest.n) >= (position.epoch, position.n)
