"""The chain's side of the frames: verifies the log and says what each partition has to know. No I/O.

* It starts from where the frames stand, not from what the consumer group committed: a frame is delivered before its record
  is acknowledged, so frames are never behind, and what they lack is read from the log again.
* A record that was acknowledged while it was held is held by nobody after a restart. So the caller compares an event's
  offset with `next_offset`, and first reads what lies between.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from revocast.schemas.chain import Chain
from revocast.schemas.trust import Trust
from revocast.schemas.verdict import Outcome, Verdict
from revocast.streams.frames import Frame, Mark, frames_of

__all__ = ["Follower", "Judged"]


@dataclass(frozen=True)
class Judged:
    """What came of some records: frames by record and partition, and the verdicts that are to be reported."""

    frames: list[list[Frame]] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)


class Follower:
    """Follows the log after `mark` (None: from its beginning)."""

    def __init__(self, trust: Trust, mark: Mark | None) -> None:
        self.chain = Chain(trust, mark.position if mark else None)
        self.mark = mark
        self.outcomes: Counter[Outcome] = Counter()
        self.next_offset = mark.offset + 1 if mark else 0

    def receive(self, value: bytes | None, now: float, offset: int) -> Judged:
        """Judge the record at `offset`; one below `next_offset` was judged before and counts as nothing."""
        if offset < self.next_offset:
            return Judged()
        self.next_offset = offset + 1
        return self._sort(self.chain.receive(value, now, offset))

    def settle(self, now: float, count: int) -> Judged:
        """Judge for good what waited for keys, which were read to an end asked since; `count` as of that asking."""
        return self._sort(self.chain.settle(now, count))

    def rewind(self, *, whole: bool) -> None:
        """Read the log again from here: what was held is forgotten, and what of it did not fit comes again.

        `whole`: from its beginning, because the mark's offset is of a log that is no more.
        """
        self.chain.reread()
        self.next_offset = self.mark.offset + 1 if self.mark and not whole else 0

    def _sort(self, verdicts: Iterable[Verdict]) -> Judged:
        judged = Judged()
        for verdict in verdicts:
            self.outcomes[verdict.outcome] += 1
            if verdict.record is not None:
                record = verdict.record
                self.mark = Mark(record.epoch, record.n, record.t, verdict.offset, verdict.record_hash)
                judged.frames.append(frames_of(record, self.mark))
            if verdict.outcome in (Outcome.REJECTED, Outcome.FORK, Outcome.UPGRADE):
                judged.verdicts.append(verdict)
        return judged
