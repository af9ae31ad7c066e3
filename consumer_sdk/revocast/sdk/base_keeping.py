"""Keeping the base young: merging, writing it for the host, taking over what another worker has written.

* The worker that holds the lock merges, and what it makes is the host's file. The others go on with each new file that fits what
  they hold: the same epoch, not ahead of them, not older than their base. They never wait for it.
* A file is written when much has changed; besides, small tables at most once a minute and large ones once an hour, so that a
  restart finds a place not far behind. And when the guard stops, if there is more to replay than to write.
* Only who is ready writes, and only a place that the issuer's newest checkpoint covers. So whoever begins from the file knows that
  log and checkpoints once reached it, and that a log which ends before it was put back.
* Whoever cannot have a young base from the host, because nothing can be written or nobody writes, merges for itself.
* While thousands of rows a second come, merging waits (downpour.py).
* A merge runs in the guard's loop, a millisecond or two at a time, and rests for as long as it works.
"""

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from typing import Final

from revocast.schemas.record import Position
from revocast.schemas.row import ROW_SIZE
from revocast.sdk.base_file import BaseFile
from revocast.sdk.clock import Clock
from revocast.sdk.core import GuardCore
from revocast.sdk.downpour import Downpour
from revocast.sdk.freshness import State
from revocast.sdk.instant import Instant
from revocast.sdk.journal import logger
from revocast.sdk.local_copy import Copy, Draft, Place
from revocast.sdk.merging import Merge

__all__ = ["BaseKeeping"]

_SMALL_ROWS: Final = 100_000
_SMALL_EVERY: Final = 60.0
_LARGE_EVERY: Final = 3600.0
_WORTH_STOPPING_FOR: Final = 2000
"""Records: to replay fewer takes less time than to write a large base."""
_PATIENCE: Final = 60.0
"""Seconds in which the worker that writes should have come to it."""
_COVERED_WITHIN: Final = 30.0
_LOOK_EVERY: Final = 0.1


class BaseKeeping:
    """One guard's. Call `tick` every second; it never waits."""

    def __init__(self, file: BaseFile, clock: Clock) -> None:
        self._file = file
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._core: GuardCore | None = None
        self._wanted_since: float | None = None
        self._tried_at = float("-inf")
        self._downpour = Downpour()
        self._found: Copy | None = None

    def tick(self, core: GuardCore, now: Instant) -> None:
        """Begin what is due, for the core in force."""
        self._core = core
        denylist = core.verifier.denylist
        pouring = self._downpour.lasts(denylist.applied, denylist.changed, now.monotonic)
        mine = self._file.lock.try_acquire()
        if self._busy or core.state is not State.READY or core.whole_at is None:
            return
        self._adopt_found(core)
        if not mine and self._file.changed:
            self._start(self._take_file(core))
        elif pouring:
            return
        elif mine and self._is_due(core, now):
            self._start(self._merge(core, for_host=True))
        elif not mine and self._must_help_itself(core, now):
            self._start(self._merge(core, for_host=False))

    async def close(self, core: GuardCore, *, ready: bool) -> None:
        """Stop. `ready` is whether the guard was until now: then what is worth it is written."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})  # what it failed of was told when it did
        await self._file.finish()
        place = core.whole_at
        if ready and place is not None and self._file.lock.held:
            behind = place[0].n - (self._known_n(core) or 0)
            small = len(core.verifier.denylist) <= _SMALL_ROWS
            if behind > (0 if small else _WORTH_STOPPING_FOR):
                self._core = core
                await self._merge(core, for_host=True, patient=False)
                await self._file.finish()
        self._file.lock.release()

    @property
    def _busy(self) -> bool:
        return self._file.publishing or (self._task is not None and not self._task.done())

    def _start(self, work: Coroutine[None, None, None]) -> None:
        self._task = asyncio.create_task(work)
        self._task.add_done_callback(_say_defect)

    def _is_due(self, core: GuardCore, now: Instant) -> bool:
        denylist, place = core.verifier.denylist, core.whole_at
        assert place is not None
        if denylist.wants_merge:
            return True
        known = self._known_n(core)
        if known is not None and known >= place[0].n:
            return False
        small = known is None or len(denylist) <= _SMALL_ROWS
        return now.monotonic - self._tried_at >= (_SMALL_EVERY if small else _LARGE_EVERY)

    def _known_n(self, core: GuardCore) -> int | None:
        """The n of the host's file, if it is of the history in force."""
        known, place = self._file.known, core.whole_at
        if known is None or place is None or known.position.epoch != place[0].epoch:
            return None
        return known.position.n if known.position.n <= place[0].n else None

    def _must_help_itself(self, core: GuardCore, now: Instant) -> bool:
        if not core.verifier.denylist.wants_merge:
            self._wanted_since = None
            return False
        if self._wanted_since is None:
            self._wanted_since = now.monotonic
        waited = now.monotonic - self._wanted_since
        return not self._file.lock.contended or waited > _PATIENCE

    async def _take_file(self, core: GuardCore) -> None:
        copy = await self._file.read()
        if copy is not None and copy.place.root in core.roots:
            self._found = copy
            self._adopt_found(core)

    def _adopt_found(self, core: GuardCore) -> None:
        found, here = self._found, core.whole_at
        if found is None or here is None or found.place.position.n > here[0].n:
            return  # we shall get there
        self._found = None
        core.adopt(found.base, found.place.position)

    async def _merge(self, core: GuardCore, *, for_host: bool, patient: bool = True) -> None:
        at = core.whole_at
        assert at is not None
        self._tried_at = self._clock().monotonic
        if for_host:
            self._file.copy.sweep()
        merge, draft = core.verifier.denylist.merge(), Draft(self._file.copy if for_host else None)
        with contextlib.ExitStack() as unless_published:
            unless_published.callback(draft.close)
            count = await self._written(merge, draft, patient=patient)
            base = await asyncio.to_thread(lambda: draft.finish(count, merge.index_bytes))
            if core.adopt(base, at[0]) and for_host and await self._is_covered(core, at[0], patient=patient):
                unless_published.pop_all()
                place = Place(core.trust.issuer, core.roots[-1], *at)
                self._file.publish(draft, place)

    async def _written(self, merge: Merge, draft: Draft, *, patient: bool) -> int:
        count, began = 0, time.perf_counter()
        for rows in merge:
            if rows:
                draft.write(count, rows)
                count += len(rows) // ROW_SIZE
            await asyncio.sleep(time.perf_counter() - began if patient else 0)
            began = time.perf_counter()
        return count

    async def _is_covered(self, core: GuardCore, position: Position, *, patient: bool) -> bool:
        """Whether the newest checkpoint reaches the position, by and by, and the core is still the one in force."""
        for _ in range(int(_COVERED_WITHIN / _LOOK_EVERY) if patient else 1):
            checkpoint = core.chain.checkpoint
            if checkpoint and (checkpoint.epoch, checkpoint.n) >= (position.epoch, position.n):
                return core is self._core and core.state in (State.READY, State.CLOSED)
            await asyncio.sleep(_LOOK_EVERY if patient else 0)
        return False


def _say_defect(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("the guard could not renew its base", exc_info=error)
