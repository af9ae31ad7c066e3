"""The Kafka source: pins the root, makes the core, follows the topics, remembers what was seen."""

import asyncio

from revocast.sdk.backoff import Backoff
from revocast.sdk.clock import Clock
from revocast.sdk.core import NO_FLOOR, GuardCore
from revocast.sdk.errors import PinFailed
from revocast.sdk.follower import Follower
from revocast.sdk.health import warnings_of
from revocast.sdk.journal import Journal, logger
from revocast.sdk.memory import Memory, Remembered
from revocast.sdk.pin import fetch_list, root_of
from revocast.sdk.profile import Profile
from revocast.sdk.readiness import Floor
from revocast.sdk.settings import GuardSettings

__all__ = ["KafkaSource"]

_TICK = 1.0
_FETCH_TIMEOUT = 5.0


class KafkaSource:
    """One guard's reading of one deployment."""

    def __init__(self, settings: GuardSettings, clock: Clock, journal: Journal) -> None:
        self._settings = settings
        self._clock = clock
        self._journal = journal
        self._memory = Memory(settings.memory_path)
        self._core: GuardCore | None = None
        self._follower: Follower | None = None
        self._pin_problem = ""
        self._saved_generation = 0

    @property
    def problem(self) -> str:
        """What keeps it from working right now."""
        return self._pin_problem or (self._follower.problem if self._follower else "")

    async def open(self) -> GuardCore:
        """Pin the root: configured, else remembered, else fetched from the issuer."""
        settings = self._settings
        remembered = self._memory.load()
        if settings.root is not None and remembered and settings.root not in remembered.roots:
            remembered = None  # another root was configured: what was seen under the old one says nothing
        root = settings.root or (remembered.roots[-1] if remembered else await self._first_use())
        self._core = GuardCore(
            issuer=settings.issuer,
            root=root,
            profile=Profile(settings.audience, frozenset({settings.issuer})),
            limits=settings.limits,
            policy=settings.policy,
            floor=remembered.floor if remembered else NO_FLOOR,
            cache_size=settings.cache_size,
        )
        self._follower = Follower(settings, self._core, self._clock, self._journal)
        return self._core

    async def run(self) -> None:
        """Follow the topics, and every second let time pass, write the journal and remember what is new."""
        assert self._core is not None, "open() comes first"
        assert self._follower is not None
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follower.run())
            while True:
                now = self._clock()
                self._core.handle_timer(now)
                self._journal.write(warnings_of(self._core.trust, self._core.freshness, now), now.monotonic)
                await self._remember(self._core)
                await asyncio.sleep(_TICK)

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
        roots = trust.delegations.roots.chain(trust.root, trust.issuer).thumbprints
        await self._save(Remembered(roots, Floor(trust.delegations.version, trust.key_set.order)))

    async def _save(self, remembered: Remembered) -> None:
        try:
            await asyncio.to_thread(self._memory.save, remembered)
        except OSError as error:
            logger.warning("cannot remember the root and the key versions: %s", error)
