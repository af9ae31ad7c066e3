"""How a reader that knows itself incomplete gets well again: a ladder, one step at a time.

* Records are missing: the log is read again from the last record applied, then from its beginning. If that does not help,
  everything is read anew into a state of its own, beside the one in force. Where the log was truncated past the last record applied,
  at once: what is missing is in a snapshot.
* Another history was applied than the log holds: what was applied stays applied, so only reading anew can help.
* Something signed is not understood: only an upgrade of this software helps, so nothing is tried.
* A new epoch's live set is not whole yet: it is on its way.

Each wait is drawn between nothing and its whole length, which doubles: a fleet that became incomplete in one second must not
ask for the whole log in one second. Reading anew is the dear step, and has waits of its own.
"""

import random
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from revocast.sdk.backoff import Backoff

__all__ = ["Cure", "Recovery", "Step"]

REREAD_SECONDS: Final = (1.0, 60.0)
ANEW_SECONDS: Final = (20.0, 600.0)
_REREADS: Final = 2
STEADY_SECONDS: Final = 60.0
"""Who was ready for so long begins again at the foot of the ladder."""


class Cure(StrEnum):
    """What can help against what is wrong now."""

    NOTHING = "nothing"
    REREAD = "reading the log again"
    ANEW = "reading everything anew"


class Step(StrEnum):
    """What to do next."""

    FROM_N = "read the log again from the last record applied"
    FROM_BEGINNING = "read the log again from its beginning"
    ANEW = "read everything anew"


class Recovery:
    """One reader's place on the ladder. Times are monotonic seconds."""

    def __init__(self, rand: Callable[[], float] = random.random) -> None:
        self._rereading = Backoff(*REREAD_SECONDS, jitter=1, rand=rand)
        self._anew = Backoff(*ANEW_SECONDS, jitter=1, rand=rand)
        self._planned: tuple[Step, float] | None = None
        self._ready_since: float | None = None
        self._rereads = 0

    def due(self, cure: Cure, now: float) -> Step | None:
        """The step whose time has come; then call `begun`. None: wait."""
        if cure is Cure.NOTHING:
            self._planned = None
            return None
        self._ready_since = None
        step = self._next(cure)
        if self._planned is None or self._planned[0] is not step:
            backoff = self._anew if step is Step.ANEW else self._rereading
            self._planned = (step, now + backoff.next())
        return step if now >= self._planned[1] else None

    def begun(self) -> None:
        """The step that was due is being done."""
        if self._planned is not None and self._planned[0] is not Step.ANEW:
            self._rereads += 1
        self._planned = None

    def truncated(self) -> None:
        """The log does not hold what is missing: to read it again cannot help."""
        self._rereads = max(self._rereads, _REREADS)
        self._planned = None

    def ready(self, now: float) -> None:
        """Nothing is missing. Only what lasts counts: an illness that comes back at once goes on where it was."""
        self._planned = None
        if self._ready_since is None:
            self._ready_since = now
        elif now - self._ready_since >= STEADY_SECONDS:
            self._rereads = 0
            self._rereading.reset()
            self._anew.reset()

    def _next(self, cure: Cure) -> Step:
        if cure is Cure.ANEW or self._rereads >= _REREADS:
            return Step.ANEW
        return Step.FROM_BEGINNING if self._rereads else Step.FROM_N
