"""Timing several ways of the same thing fairly.

Every round takes every way once, each round beginning with another one, in one process: what disturbs the machine disturbs
all, and a ratio of medians says something even where a figure alone does not. A tool that gives each way a process of its
own, minutes apart, as pyperf does, measures one way well and a ratio badly on a machine that is shared.
"""

import time
from collections.abc import Callable, Mapping

__all__ = ["Seconds", "in_turns"]


class Seconds(float):
    """What a way returns that took its own time, because getting there is not what is compared."""


def in_turns(
    ways: Mapping[str, Callable[[], object]], rounds: int, before: Callable[[], object] = lambda: None
) -> dict[str, list[float]]:
    """The seconds that one call took, by way, for each round. One round before that warms up and is not counted."""
    names = list(ways)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for number in range(-1, rounds):
        before()
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            way = ways[name]
            started = time.perf_counter()
            own = way()
            seconds = own if isinstance(own, Seconds) else time.perf_counter() - started
            if number >= 0:
                taken[name].append(seconds)
    return taken
