"""Waiting longer after every failure, and never in step with the others."""

import random
from collections.abc import Callable

__all__ = ["Backoff"]


class Backoff:
    """Delays in seconds that double from `first` to `most`, each shortened by a random part of up to `jitter` of it.

    Half by default. With 1 ("full jitter") a fleet that failed at one moment comes back spread evenly over the whole delay.
    """

    def __init__(
        self, first: float, most: float, jitter: float = 0.5, rand: Callable[[], float] = random.random
    ) -> None:
        self._first = first
        self._most = most
        self._jitter = jitter
        self._rand = rand
        self.attempts = 0

    def next(self) -> float:
        """The next delay."""
        # A fleet that lost the same broker at the same moment must not come back at the same moment.
        delay = min(self._most, self._first * 2.0 ** min(self.attempts, 32))
        self.attempts += 1
        return delay * (1 - self._jitter * self._rand())

    def reset(self) -> None:
        """It worked: begin again with the first delay."""
        self.attempts = 0
