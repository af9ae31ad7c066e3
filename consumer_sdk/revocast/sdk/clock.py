"""The clocks of this machine."""

import time
from collections.abc import Callable

from revocast.sdk.instant import Clock, Instant

__all__ = ["Clock", "Instant", "hands", "system_clock"]


def system_clock() -> Instant:
    """Now."""
    return Instant(time.time(), time.monotonic())


def hands(clock: Clock) -> tuple[Callable[[], float], Callable[[], float]]:
    """`wall` and `monotonic`, each by itself: to make an `Instant` costs as much as all else that a remembered token needs."""
    if clock is system_clock:
        return time.time, time.monotonic
    return lambda: clock().wall, lambda: clock().monotonic
