"""Time as the guard sees it: what the clock on the wall says, and what has passed since. Nothing here reads a clock."""

from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Clock", "Instant"]


class Instant(NamedTuple):
    """One moment. `wall` is seconds since 1970 and may step; `monotonic` is seconds from anywhere and never goes back."""

    wall: float
    monotonic: float


Clock = Callable[[], Instant]
