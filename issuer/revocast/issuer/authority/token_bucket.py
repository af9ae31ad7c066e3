"""A token bucket: so much at once, and as much again over a period."""

__all__ = ["TokenBucket"]


class TokenBucket:
    """`capacity` units at once; they come back at `per_second`. Times in seconds, of any clock; one that steps back gives nothing."""

    def __init__(self, capacity: float, per_second: float, now: float) -> None:
        self._capacity = capacity
        self._per_second = per_second
        self._level = capacity
        self._filled_at = now

    def take(self, now: float, units: int = 1) -> float:
        """Take so many, at most the capacity; 0: taken, else nothing was taken and they are there in so many seconds."""
        gained = max(0.0, now - self._filled_at) * self._per_second
        self._level = min(self._capacity, self._level + gained)
        self._filled_at = now
        if self._level >= units:
            self._level -= units
            return 0.0
        return (units - self._level) / self._per_second
