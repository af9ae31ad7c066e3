"""Two threads that run one at a time, and change over exactly where a schedule says: every way in which they can meet.

* A step is a line, or an opcode, of the functions that are followed. A thread may be stopped before each of them.
* A schedule is who begins, and how many steps each turn lasts. After the last turn the one goes on to its end, then the other.
* `explore` lengthens a turn until its thread ends within it, so it need not know how many steps there are, and leaves none out.
"""

import sys
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import CodeType, FrameType
from typing import Any, Literal

__all__ = ["Program", "Step", "explore"]

Program = Callable[[], object]
Step = Literal["line", "opcode"]
_STUCK_S = 60


def explore(
    programs: Callable[[], tuple[Program, Program]], followed: Collection[CodeType], step: Step, turns: int
) -> Iterator[tuple[int, ...]]:
    """Run every schedule of so many turns, each on a new pair; yields, after each run, who began and how long the turns were."""
    with ThreadPoolExecutor(2) as pool:
        for first in (0, 1):
            lengths = [1] * turns
            while True:
                baton = _Baton(first, lengths, frozenset(followed), step)
                running = [pool.submit(baton.run, me, program) for me, program in enumerate(programs())]
                for each in running:
                    each.result(_STUCK_S)
                yield (first, *lengths)
                # A turn within which its thread has ended would only repeat itself, however long.
                longer = baton.ended - 1 if baton.ended is not None else turns - 1
                if longer < 0:
                    break
                lengths[longer:] = [lengths[longer] + 1] + [1] * (turns - longer - 1)


class _Baton:
    """`ended` is the first turn within which its thread has ended; None: each of them was interrupted."""

    def __init__(self, first: int, lengths: Sequence[int], followed: frozenset[CodeType], step: Step) -> None:
        self.ended: int | None = None
        self._lengths = lengths
        self._followed = followed
        self._step = step
        self._turn = 0
        self._left = lengths[0]
        self._alone = False
        self._gates = (threading.Semaphore(first == 0), threading.Semaphore(first == 1))

    def run(self, me: int, program: Program) -> None:
        """One of the two threads."""
        own, others = self._gates[me], self._gates[1 - me]

        def enter(frame: FrameType, event: str, argument: Any) -> Any:
            if frame.f_code not in self._followed:
                return None
            frame.f_trace_opcodes = self._step == "opcode"
            return follow

        def follow(frame: FrameType, event: str, argument: Any) -> Any:
            if event == self._step and not self._alone:
                self._left -= 1
                if self._left < 0 and self._turn < len(self._lengths):
                    self._next_turn()
                    others.release()
                    _pass(own)
            return follow

        _pass(own)
        before = sys.gettrace()
        sys.settrace(enter)
        try:
            program()
        finally:
            sys.settrace(before)
            if not self._alone and self._turn < len(self._lengths):
                self.ended = self._turn
            self._alone = True
            others.release()

    def _next_turn(self) -> None:
        self._turn += 1
        if self._turn < len(self._lengths):
            self._left = self._lengths[self._turn]


def _pass(gate: threading.Semaphore) -> None:
    if not gate.acquire(timeout=_STUCK_S):
        raise TimeoutError("the other thread never came to its next step")
