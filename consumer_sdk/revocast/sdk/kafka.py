"""The Kafka source: pins the root, makes the core, follows the topics, remembers what was seen and keeps the base young.

When the core cannot get well on what it has (recovery.py), another one is built beside it from nothing but the pin, the floor
and the topics. The old one is fed and enforced all the while; they change places when the new one is current and behind in nothing.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from revocast.sdk.backoff import Backoff
from revocast.sdk.base_file import BaseFile
from revocast.sdk.base_keeping import BaseKeeping
from revocast.sdk.beginning import Beginning
from revocast.sdk.clock import Clock
from revocast.sdk.core import NO_FLOOR, GuardCore
from revocast.sdk.errors import PinFailed
from revocast.sdk.follower import Follower
from revocast.sdk.freshness import State
from revocast.sdk.instant import Instant
from revocast.sdk.journal import Journal, logger
from revocast.sdk.memory import Memory, Remembered
from revocast.sdk.pin import fetch_list, root_of
from revocast.sdk.recovery import Step
from revocast.sdk.settings import GuardSettings
from revocast.sdk.signatures import backend_named

__all__ = ["KafkaSource"]

_TICK: Final = 1.0
_FETCH_TIMEOUT: Final = 5.0
_SETTLED: Final = 5.0
"""Seconds after which what was read anew to its end, and is still not whole, will not become so."""


class _Reading:
    """A core, and the task that feeds it."""

    def __init__(self, core: GuardCore, follower: Follower, tasks: asyncio.TaskGroup) -> None:
        self.core = core
        self.follower = follower
        self.task = tasks.create_task(follower.run())
        self.at_end_since: float | None = None


class KafkaSource:
    """One guard's reading of one deployment. `recovering` says what reading anew has come to; empty: it is not needed."""

    def __init__(self, settings: GuardSettings, clock: Clock, journal: Journal) -> None:
        self.recovering = ""
        self._settings = settings
        self._clock = clock
        self._journal = journal
        self._memory = Memory(settings.memory_path)
        self._file = BaseFile(settings.base_path, settings.issuer)
        self._keeping = BaseKeeping(self._file, clock)
        self._core: GuardCore | None = None
        self._follower: Follower | None = None
        self._pin_problem = ""
        self._saved_generation = 0

    @property
    def problem(self) -> str:
        """What keeps it from working right now."""
        return self._pin_problem or (self._follower.problem if self._follower else "")

    @property
    def keeping_problem(self) -> str:
        """Why the next start will find nothing young on the disk; empty: it will."""
        return self._file.problem

    @property
    def origin(self) -> str:
        """Where the core in force began."""
        return self._follower.beginning.origin if self._follower else ""

    async def open(self) -> GuardCore:
        """Pin the root: configured, else remembered, else fetched from the issuer."""
        settings = self._settings
        self._file.read_ahead()
        remembered = self._memory.load()
        if settings.root is not None and remembered and settings.root not in remembered.roots:
            remembered = None  # another root was configured: what was seen under the old one says nothing
        # The newest that was reached from the configured one: lists that were skipped as old no longer say how, and whoever
        # has the old root could hand over to another.
        root = remembered.roots[-1] if remembered else settings.root or await self._first_use()
        self._core = GuardCore(
            issuer=settings.issuer,
            root=root,
            profile=settings.profile,
            limits=settings.limits,
            policy=settings.policy,
            floor=remembered.floor if remembered else NO_FLOOR,
            cache_size=settings.cache_size,
            signatures=backend_named(settings.signatures),
        )
        roots = remembered.roots if remembered else ()
        beginning = Beginning(settings, self._core, self._clock, self._file, roots)
        self._follower = Follower(settings, self._core, self._clock, self._journal, beginning)
        return self._core

    async def run(self, replace: Callable[[GuardCore], None], tick: Callable[[Instant], None]) -> None:
        """Follow the topics; every second let time pass, call `tick`, and remember what is new.

        `replace` puts another core in the place of the one that `open` gave.
        """
        assert self._core is not None, "open() comes first"
        assert self._follower is not None
        async with asyncio.TaskGroup() as tasks:
            current = _Reading(self._core, self._follower, tasks)
            anew: _Reading | None = None
            while True:
                now = self._clock()
                current.core.handle_timer(now)
                if anew is None:
                    anew = self._begin_anew(current, tasks, now)
                elif anew.core.may_take_over(current.core, now):
                    current.task.cancel()
                    self._core, self._follower = anew.core, anew.follower
                    replace(anew.core)
                    anew.core.take_over(current.core, now)
                    current, anew = anew, None
                elif self._is_over(anew, current, now):
                    anew.task.cancel()
                    anew = None
                if current.core.state is State.READY:
                    self.recovering = ""
                tick(now)
                self._keeping.tick(current.core, now)
                await self._remember(current.core)
                await asyncio.sleep(_TICK)

    def after_fork(self) -> None:
        """In the child: this object is the parent's, but for the share in its lock that the child has inherited."""
        self._file.lock.after_fork()

    async def close(self, *, ready: bool) -> None:
        """After `run`: leave the next start a young place, if the guard was `ready`, and let another worker write."""
        if self._core is not None:
            await self._keeping.close(self._core, ready=ready)

    def _begin_anew(self, current: _Reading, tasks: asyncio.TaskGroup, now: Instant) -> _Reading | None:
        recovery = current.follower.recovery
        if recovery.due(current.core.cure(now), now.monotonic) is not Step.ANEW:
            return None
        recovery.begun()
        self.recovering = "everything is being read anew, beside the state in force"
        core = current.core.afresh()
        # A journal of its own, that nobody writes: of what stands on the topics the first one has told.
        beginning = Beginning(self._settings, core, self._clock, None, anew=True)
        return _Reading(
            core, Follower(self._settings, core, self._clock, Journal(), beginning, recovery), tasks
        )

    def _is_over(self, anew: _Reading, current: _Reading, now: Instant) -> bool:
        """Whether the attempt is not needed any more, or has failed."""
        anew.core.handle_timer(now)
        if current.core.state is State.READY:
            return True
        if anew.core.freshness.link_age(now) is None:
            return False
        anew.at_end_since = anew.at_end_since or now.monotonic
        if now.monotonic - anew.at_end_since < _SETTLED:
            return False
        behind = "it ends before what was read already" if anew.core.state is State.READY else ""
        self.recovering = f"everything was read anew, which did not help: {behind or anew.core.missing()}"
        return True

    async def _first_use(self) -> str:
        issuer, tls, backoff = self._settings.issuer, self._settings.caller_context(), Backoff(0.2, 5.0)
        while True:
            try:
                root = root_of(await asyncio.to_thread(fetch_list, issuer, _FETCH_TIMEOUT, tls), issuer)
            except PinFailed as error:
                self._pin_problem = str(error)
                await asyncio.sleep(backoff.next())
            else:
                self._pin_problem = ""
                await self._save(Remembered((root,), NO_FLOOR))  # now: the next start must not trust anew
                logger.warning(
                    "pinned the root on first use: %s; set REVOCAST_ROOT to it to fetch nothing", root
                )
                return root

    async def _remember(self, core: GuardCore) -> None:
        trust = core.trust
        if trust.generation == self._saved_generation or trust.delegations is None or trust.key_set is None:
            return
        self._saved_generation = trust.generation
        await self._save(Remembered(core.roots, core.floor))

    async def _save(self, remembered: Remembered) -> None:
        try:
            await asyncio.to_thread(self._memory.save, remembered)
        except OSError as error:
            logger.warning("cannot remember the root and the key versions: %s", error)
