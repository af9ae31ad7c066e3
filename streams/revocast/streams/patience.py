"""When to stop waiting for Faust and read again: what is behind and does not move for a while, then ever more rarely."""

from typing import Final

__all__ = ["Patience"]

FIRST_SECONDS: Final = 3.0
LAST_SECONDS: Final = 60.0


class Patience:
    """`now` is a monotonic clock in seconds."""

    def __init__(self) -> None:
        self._place: object = self
        self._pause = FIRST_SECONDS
        self._next = 0.0

    def ends(self, place: object, now: float) -> bool:
        """Whether something that is behind has stood at `place` for too long. Moving on begins anew."""
        if place != self._place:
            self._place, self._pause, self._next = place, FIRST_SECONDS, now + FIRST_SECONDS
            return False
        if now < self._next:
            return False
        self._pause = min(2 * self._pause, LAST_SECONDS)
        self._next = now + self._pause
        return True
