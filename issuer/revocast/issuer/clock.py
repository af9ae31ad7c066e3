"""The clock that programs pass to their parts; tests pass another."""

import time
from collections.abc import Callable
from typing import Final

__all__ = ["Clock", "wall_clock"]

Clock = Callable[[], float]
"""Seconds since 1970, with fractions."""

wall_clock: Final[Clock] = time.time
