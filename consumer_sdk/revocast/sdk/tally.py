"""What became of the records: counts by topic and outcome, and a few reasons for people."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from revocast.schemas.verdict import Outcome, Verdict
from revocast.sdk.freshness import Topic

__all__ = ["Tally"]

_MAX_REASONS: Final = 3


class Tally:
    """`counters` is by `<topic>.<outcome>`. A record that the reader itself reads again is no replay, and not counted."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self._reasons: dict[Topic, list[str]] = {topic: [] for topic in Topic}
        self._highest = dict.fromkeys(Topic, -1)
        self._snapshot_reasons: list[str] = []

    def refuse_snapshot(self, reason: str) -> None:
        """Count a snapshot, or a local copy, that was not used."""
        self.counters["snapshots.rejected"] += 1
        _keep(self._snapshot_reasons, reason)

    def follow(self, earlier: "Tally") -> None:
        """Go on counting where another tally of the same topics stopped; what both have seen counts once."""
        self.counters = earlier.counters
        self._highest = {topic: max(self._highest[topic], earlier._highest[topic]) for topic in Topic}

    def add(self, topic: Topic, verdicts: Iterable[Verdict]) -> None:
        """Count final verdicts."""
        for verdict in verdicts:
            if verdict.outcome is Outcome.HELD:
                continue
            if verdict.outcome is Outcome.REPLAY and verdict.offset <= self._highest[topic]:
                continue
            self._highest[topic] = max(self._highest[topic], verdict.offset)
            self.counters[f"{topic}.{verdict.outcome}"] += 1
            if verdict.outcome is Outcome.REJECTED:
                _keep(self._reasons[topic], verdict.reason)

    def rejections(self) -> list[str]:
        """A sentence for each topic of which records were rejected, and one for snapshots."""
        found = [
            f"records of the {topic} topic were rejected ({', '.join(reasons)})"
            for topic, reasons in self._reasons.items()
            if reasons
        ]
        if self._snapshot_reasons:
            found.append(f"snapshots were refused ({', '.join(self._snapshot_reasons)})")
        return found


def _keep(reasons: list[str], reason: str) -> None:
    if reason not in reasons and len(reasons) < _MAX_REASONS:
        reasons.append(reason)
