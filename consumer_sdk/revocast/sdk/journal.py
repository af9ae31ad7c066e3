"""What the guard writes to the log `revocast.sdk`: every change of state, every warning once, rejects in summary.

Nothing that came in from outside is quoted, and what anybody can cause at will costs one line in ten seconds.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from typing import Final

from revocast.schemas.verdict import Outcome, Verdict
from revocast.sdk.freshness import State, Topic, Transition

__all__ = ["Journal", "logger"]

logger: Final = logging.getLogger("revocast.sdk")

_EVERY: Final = 10.0
_NOTEWORTHY: Final = frozenset({Outcome.REJECTED, Outcome.FORK, Outcome.UPGRADE})


class Journal:
    """Times are monotonic seconds."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[Topic, Outcome]] = Counter()
        self._reasons: dict[tuple[Topic, Outcome], str] = {}
        self._warnings: frozenset[str] = frozenset()
        self._written_at = float("-inf")

    def transition(self, transition: Transition) -> None:
        """Write a change of state."""
        good = transition.after in (State.READY, State.CLOSED)
        logger.log(
            logging.INFO if good else logging.WARNING,
            "guard is %s (was %s): %s",
            transition.after,
            transition.before,
            transition.reason,
        )

    def verdicts(self, topic: Topic, verdicts: Iterable[Verdict]) -> None:
        """Keep what should be written."""
        for verdict in verdicts:
            if verdict.outcome in _NOTEWORTHY:
                self._counts[topic, verdict.outcome] += 1
                self._reasons[topic, verdict.outcome] = verdict.reason

    def write(self, warnings: Iterable[str], now: float) -> None:
        """Write new warnings, and the summary if it is time."""
        current = frozenset(warnings)
        for warning in sorted(current - self._warnings):
            logger.warning("%s", warning)
        for warning in sorted(self._warnings - current):
            logger.info("over: %s", warning)
        self._warnings = current
        if self._counts and now - self._written_at >= _EVERY:
            for (topic, outcome), count in self._counts.items():
                reason = self._reasons[topic, outcome]
                logger.warning("%s topic: %d records were %s (the last: %s)", topic, count, outcome, reason)
            self._counts.clear()
            self._written_at = now
