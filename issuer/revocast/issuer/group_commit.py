"""Writers of one process share transactions: whoever finds none running goes at once, and takes nobody along; who comes
while one runs waits, and all who wait are written together by the next one.

* A lone writer waits for nobody, and no timer gathers a crowd: groups grow by themselves as writing gets slower.
* The order of a group is the order of arrival.
* A group is written whole or not at all, and then each of its members is told. If it failed by what one of them asked for,
  each is written alone, so the others do not fail with it.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from revocast.issuer.errors import StorageUnavailable

__all__ = ["GroupCommit"]

T = TypeVar("T")
R = TypeVar("R")


class GroupCommit(Generic[T, R]):
    """`write` is one transaction: an answer for each of its requests. `fitting`: how many of those that wait it may take."""

    def __init__(
        self, write: Callable[[Sequence[T]], Sequence[R | Exception]], fitting: Callable[[Iterable[T]], int]
    ) -> None:
        self._write = write
        self._fitting = fitting
        self._lock = threading.Lock()
        self._running = False
        self._waiting: deque[_Waiting[T, R]] = deque()

    def submit(self, request: T) -> R:
        """Have it written, by this thread or by another; returns once it is, or raises what went wrong with it."""
        mine = _Waiting[T, R](request)
        with self._lock:
            self._waiting.append(mine)
            if not self._running:
                self._running = True
                mine.turn.set_result(True)
        if mine.turn.result():
            self._lead()
        return mine.answer.result()

    def _lead(self) -> None:
        """Write the group that this thread is the first of, then hand over to the first of those that came meanwhile."""
        with self._lock:
            group = [self._waiting.popleft()]
        try:
            with self._lock:
                count = self._fitting(each.request for each in (*group, *self._waiting))
                group += (self._waiting.popleft() for _ in range(count - 1))
            self._settle(group)
        except BaseException as error:  # a defect of `fitting` or `write`, and still nobody waits for ever
            for each in group:
                if not each.answer.done():
                    each.answer.set_exception(error)
        finally:
            with self._lock:
                self._running = bool(self._waiting)
                if self._running:
                    self._waiting[0].turn.set_result(True)
            for each in group[1:]:
                each.turn.set_result(False)

    def _settle(self, group: Sequence["_Waiting[T, R]"]) -> None:
        try:
            answers = self._write([each.request for each in group])
        except BaseException as error:
            if len(group) > 1 and isinstance(error, Exception) and not isinstance(error, StorageUnavailable):
                for each in group:
                    self._settle([each])
                return
            for each in group:
                each.answer.set_exception(error)
            return
        for each, answer in zip(group, answers, strict=True):
            if isinstance(answer, Exception):
                each.answer.set_exception(answer)
            else:
                each.answer.set_result(answer)


class _Waiting(Generic[T, R]):
    """`turn`: True, lead the next group; False, another has written this one. `answer` is set before that."""

    def __init__(self, request: T) -> None:
        self.request = request
        self.turn: Future[bool] = Future()
        self.answer: Future[R] = Future()
