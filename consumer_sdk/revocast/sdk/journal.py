"""What the guard writes to the log `revocast.sdk`: every change of state and what it means for tokens, every warning when it
comes, changes and goes, rejects in summary.

Each line says it for people, and its facts for programs (revocast.schemas.json_log). Nothing that came in from outside is quoted, and what anybody can cause at will costs one line in ten seconds.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from revocast.schemas.json_log import facts
from revocast.schemas.verdict import Outcome, Verdict
from revocast.sdk.freshness import State, Topic, Transition
from revocast.sdk.policy import Policy, operation

__all__ = ["Journal", "logger"]

logger: Final = logging.getLogger("revocast.sdk")

_EVERY: Final = 10.0
_NOTEWORTHY: Final = frozenset({Outcome.REJECTED, Outcome.FORK, Outcome.UPGRADE})


class Journal:
    """Times are monotonic seconds."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[Topic, Outcome]] = Counter()
        self._reasons: dict[tuple[Topic, Outcome], str] = {}
        self._warnings: dict[str, str] = {}
        self._written_at = float("-inf")

    def transition(self, transition: Transition, policy: Policy) -> None:
        """Write a change of state, and what happens to tokens from now on, where no route has a policy of its own."""
        good = transition.after in (State.READY, State.CLOSED)
        logger.log(
            logging.INFO if good else logging.WARNING,
            "guard is %s (was %s): %s; %s",
            transition.after,
            transition.before,
            transition.reason,
            operation(policy, transition.after),
            extra=facts(
                event="transition",
                state=transition.after,
                before=transition.before,
                reason=transition.reason,
                policy=policy,
            ),
        )

    def verdicts(self, topic: Topic, verdicts: Iterable[Verdict]) -> None:
        """Keep what should be written."""
        for verdict in verdicts:
            if verdict.outcome in _NOTEWORTHY:
                self._counts[topic, verdict.outcome] += 1
                self._reasons[topic, verdict.outcome] = verdict.reason

    def write(self, warnings: Mapping[str, str], now: float) -> None:
        """Write what is new in the warnings, which are sentences by subject, and the summary if it is time."""
        for subject, warning in warnings.items():
            if self._warnings.get(subject) != warning:
                logger.warning("%s", warning, extra=facts(event="warning", subject=subject))
        for subject, warning in self._warnings.items():
            if subject not in warnings:
                logger.info("over: %s", warning, extra=facts(event="over", subject=subject))
        self._warnings = dict(warnings)
        if self._counts and now - self._written_at >= _EVERY:
            for (topic, outcome), count in self._counts.items():
                reason = self._reasons[topic, outcome]
                logger.warning(
                    "%s topic: %d records were %s (the last: %s)",
                    topic,
                    count,
                    outcome,
                    reason,
                    extra=facts(event="records", topic=topic, outcome=outcome, count=count, reason=reason),
                )
            self._counts.clear()
            self._written_at = now
