"""A rehearsal: what a guard reads in its start, on a state of its own, without leaving anything on this host."""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Final

from revocast.sdk.beginning import Beginning
from revocast.sdk.clock import system_clock
from revocast.sdk.core import GuardCore
from revocast.sdk.follower import Follower
from revocast.sdk.freshness import State
from revocast.sdk.journal import Journal
from revocast.sdk.settings import GuardSettings

__all__ = ["Rehearsal", "rehearse"]

_TICK: Final = 0.05
_LIVE: Final = 6.0
"""Seconds in which an issuer that is alive signs a checkpoint or two."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """`core` as it stands at the end; `seconds` until it was ready, `None`: it was not. `origin` is where it began."""

    core: GuardCore
    seconds: float | None
    origin: str
    problem: str


async def rehearse(settings: GuardSettings, root: str, most: float) -> Rehearsal:
    """Start without a local copy, for `most` seconds at most; then wait a little for the issuer's next checkpoint."""
    core = GuardCore(
        issuer=settings.issuer, root=root, profile=settings.profile, limits=settings.limits, cache_size=0
    )
    beginning = Beginning(settings, core, system_clock, None)
    follower = Follower(settings, core, system_clock, Journal(), beginning)
    began = system_clock().monotonic
    reading = asyncio.create_task(follower.run())
    try:
        seconds = await _until_ready(core, began, most)
        if seconds is not None:
            await _until_live(core)
    finally:
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
    return Rehearsal(core, seconds, beginning.origin, follower.problem)


async def _until_ready(core: GuardCore, began: float, most: float) -> float | None:
    while (passed := system_clock().monotonic - began) < most:
        core.handle_timer(system_clock())
        if core.state is State.READY:
            return passed
        await asyncio.sleep(_TICK)
    return None


async def _until_live(core: GuardCore) -> None:
    until = system_clock().monotonic + _LIVE
    while (now := system_clock()).monotonic < until and core.freshness.clock_skew is None:
        core.handle_timer(now)
        await asyncio.sleep(_TICK)
