"""Time as the guard sees it: what the clock on the wall says, and what has passed since."""

import time
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Clock", "Instant", "system_clock"]


class Instant(NamedTuple):
    """One moment. `wall` is seconds since 1970 and may step; `monotonic` is seconds from anywhere and never goes back."""

    wall: float
    monotonic: float


Clock = Callable[[], Instant]


def system_clock() -> Instant:
    """The clocks of this machine."""
    return Instant(time.time(), time.monotonic())
