"""Whether the guard knows that it is current: the state machine, as a table, and the ages that drive it.

* `link_age`: seconds since every topic was at an end offset that the broker answered. The age counts from when the offset
  was asked for, so a broker that answers late makes nothing younger.
* `authority_age`: the larger of (this clock - the newest checkpoint's time) and the monotonic time since that time rose. A
  wrong clock hides no freeze: a frozen topic ages by the second term, a clock that runs ahead ages by the first.
* A delegation list that has expired says nothing any more about whom to believe; who has no newer one is as good as cut off.
* `clock_skew`: the least (this clock - the time of a checkpoint that arrived just now) of the last half minute. Delivery only
  adds to it. It decides nothing; it is said, because who is late judges `exp` late.
* Flaws come first: who knows that something is missing is `incomplete`, however young the link.
* `starting` ends once, with everything current; `closed` never ends.
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from revocast.schemas.delegating import expiry_warning
from revocast.sdk.instant import Instant

__all__ = ["TRANSITIONS", "Finding", "Freshness", "Limits", "State", "Topic", "Transition"]


_LEADS: Final = 15


class State(StrEnum):
    """What the guard can say of itself."""

    STARTING = "starting"
    READY = "ready"
    STALE = "stale"
    INCOMPLETE = "incomplete"
    CLOSED = "closed"


class Finding(StrEnum):
    """What an evaluation finds."""

    CURRENT = "current"
    AGED = "aged"
    FLAWED = "flawed"
    CLOSE = "close"


TRANSITIONS: Final[Mapping[State, Mapping[Finding, State]]] = MappingProxyType(
    {
        State.STARTING: {
            Finding.CURRENT: State.READY,
            Finding.AGED: State.STARTING,
            Finding.FLAWED: State.STARTING,
            Finding.CLOSE: State.CLOSED,
        },
        State.READY: {
            Finding.CURRENT: State.READY,
            Finding.AGED: State.STALE,
            Finding.FLAWED: State.INCOMPLETE,
            Finding.CLOSE: State.CLOSED,
        },
        State.STALE: {
            Finding.CURRENT: State.READY,
            Finding.AGED: State.STALE,
            Finding.FLAWED: State.INCOMPLETE,
            Finding.CLOSE: State.CLOSED,
        },
        State.INCOMPLETE: {
            Finding.CURRENT: State.READY,
            Finding.AGED: State.STALE,
            Finding.FLAWED: State.INCOMPLETE,
            Finding.CLOSE: State.CLOSED,
        },
        State.CLOSED: dict.fromkeys(Finding, State.CLOSED),
    }
)


class Topic(StrEnum):
    """The topics a guard follows, by their role."""

    KEYS = "keys"
    CHECKPOINTS = "checkpoints"
    LOG = "log"


@dataclass(frozen=True, slots=True)
class Limits:
    """Ages in seconds: beyond `link_age` or `authority_age` the policy acts, beyond `authority_alarm` it is said."""

    link_age: float = 60.0
    authority_alarm: float = 30.0
    authority_age: float = 3600.0


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of state. `reason` is for people."""

    before: State
    after: State
    reason: str
    at: Instant


class Freshness:
    """The present state, why, and until when it holds if nothing more arrives."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.state = State.STARTING
        self.reason = "nothing has been read yet"
        # `ready` lasts until one of the two clocks passes its own; nothing else lasts at all. Two numbers, not an `Instant`:
        # they are compared for every request.
        self.wall_until = self.monotonic_until = -math.inf
        self._ends: dict[Topic, float] = {}
        self._authority_time: int | None = None
        self._rose_at = 0.0
        self._expires_at: int | None = None
        self._leads: deque[float] = deque(maxlen=_LEADS)

    def follow(self, earlier: "Freshness") -> None:
        """Begin with the age of the authority that another reader of the same deployment has found."""
        self._authority_time, self._rose_at = earlier._authority_time, earlier._rose_at

    def saw_list(self, expires_at: int) -> None:
        """A delegation list that expires then is in force."""
        self._expires_at = expires_at

    def saw_end(self, topic: Topic, asked: Instant) -> None:
        """Everything up to an end offset that was asked at `asked` has been read."""
        self._ends[topic] = max(asked.monotonic, self._ends.get(topic, asked.monotonic))

    def saw_authority(self, t: int, now: Instant) -> None:
        """A checkpoint with time `t` was accepted. Only a later one than before counts."""
        if self._authority_time is None or t > self._authority_time:
            self._authority_time, self._rose_at = t, now.monotonic
            if self.has_seen_end(Topic.CHECKPOINTS):  # those before are of any age
                self._leads.append(now.wall - t)

    def has_seen_end(self, topic: Topic) -> bool:
        """Whether the topic was ever read to its end."""
        return topic in self._ends

    def end_asked(self, topic: Topic) -> float:
        """The monotonic time of the last end offset that was reached; minus infinity: none was."""
        return self._ends.get(topic, float("-inf"))

    def link_age(self, now: Instant) -> float | None:
        """Seconds; None before every topic was read to its end."""
        if len(self._ends) < len(Topic):
            return None
        return max(0.0, now.monotonic - min(self._ends.values()))

    def authority_age(self, now: Instant) -> float | None:
        """Seconds; None before the first checkpoint."""
        if self._authority_time is None:
            return None
        return max(0.0, now.wall - self._authority_time, now.monotonic - self._rose_at)

    @property
    def clock_skew(self) -> int | None:
        """By how many whole seconds this clock is ahead of the issuer's, negative: behind; None: not known yet."""
        return math.floor(min(self._leads)) if self._leads else None

    def evaluate(self, flaws: Sequence[str], now: Instant) -> Transition | None:
        """Judge again. `flaws` says in plain words what is missing; empty: nothing is."""
        aged = self._aged(now)
        if flaws:
            return self._move(Finding.FLAWED, "; ".join(flaws), now)
        if aged:
            return self._move(Finding.AGED, aged, now)
        if TRANSITIONS[self.state][Finding.CURRENT] is State.READY:
            # Before the state: no thread may find it ready, and its time over.
            self.wall_until, self.monotonic_until = self._deadline()
        return self._move(Finding.CURRENT, "current", now)

    def close(self, now: Instant) -> Transition | None:
        """End for good."""
        return self._move(Finding.CLOSE, "closed", now)

    def holds(self, now: Instant) -> bool:
        """Whether it is `ready` and still young: two comparisons, for every request."""
        return now.monotonic <= self.monotonic_until and now.wall <= self.wall_until

    def _aged(self, now: Instant) -> str:
        link, authority = self.link_age(now), self.authority_age(now)
        if link is None or authority is None:
            return "not everything has been read to its end yet"
        if self._expires_at is not None and self._expires_at <= now.wall:
            return str(expiry_warning(self._expires_at, now.wall))
        if link > self.limits.link_age:
            return f"not in touch with Kafka for {link:.0f} s (limit {self.limits.link_age:.0f} s)"
        if authority > self.limits.authority_age:
            return f"no newer checkpoint for {authority:.0f} s (limit {self.limits.authority_age:.0f} s)"
        return ""

    def _deadline(self) -> Instant:
        assert self._authority_time is not None
        link_ends = min(self._ends.values()) + self.limits.link_age
        wall = self._authority_time + self.limits.authority_age
        if self._expires_at is not None:
            wall = min(wall, math.nextafter(self._expires_at, 0))  # at that very second it has expired
        return Instant(wall, min(link_ends, self._rose_at + self.limits.authority_age))

    def _move(self, finding: Finding, reason: str, now: Instant) -> Transition | None:
        before, self.state = self.state, TRANSITIONS[self.state][finding]
        if self.state is not State.READY:
            self.wall_until = self.monotonic_until = -math.inf
        self.reason = reason
        return Transition(before, self.state, reason, now) if self.state is not before else None
