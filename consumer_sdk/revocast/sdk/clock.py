"""The clocks of this machine."""

import time

from revocast.sdk.instant import Clock, Instant

__all__ = ["Clock", "Instant", "system_clock"]


def system_clock() -> Instant:
    """Now."""
    return Instant(time.time(), time.monotonic())
