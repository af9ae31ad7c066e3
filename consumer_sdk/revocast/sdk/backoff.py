"""Waiting longer after every failure, and never in step with the others."""

import random
from collections.abc import Callable

__all__ = ["Backoff"]


class Backoff:
    """Delays in seconds that double from `first` to `most`, each shortened by a random part of up to one half."""

    def __init__(self, first: float, most: float, rand: Callable[[], float] = random.random) -> None:
        self._first = first
        self._most = most
        self._rand = rand
        self.attempts = 0

    def next(self) -> float:
        """The next delay."""
        # A fleet that lost the same broker at the same moment must not come back at the same moment.
        delay = min(self._most, self._first * 2.0 ** min(self.attempts, 32))
        self.attempts += 1
        return delay * (1 - self._rand() / 2)

    def reset(self) -> None:
        """It worked: begin again with the first delay."""
        self.attempts = 0
