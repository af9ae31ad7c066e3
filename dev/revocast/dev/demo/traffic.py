"""Steady traffic to every service, which notices a single refusal."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from revocast.dev.demo.http import Caller

__all__ = ["Traffic"]

_PAUSE_S = 0.01


class Traffic:
    """A context manager: a thread per service calls it with whatever token is newest, until the block ends.

    `mint` gives a token of a user who signs in; it is called a few times a second. `answers` counts by status.
    """

    def __init__(self, ports: Mapping[str, int], mint: Callable[[], str]) -> None:
        self.answers: Counter[int] = Counter()
        self.why: Counter[str] = Counter()
        self.tokens = 0
        self._mint = mint
        self._token = ""
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._failures: list[Exception] = []
        self._threads = [threading.Thread(target=self._sign_in, daemon=True)]
        self._threads += [
            threading.Thread(target=self._call, args=(port,), daemon=True) for port in ports.values()
        ]

    def __enter__(self) -> Self:
        self._token = self._mint()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self._failures and error is None:
            raise self._failures[0]

    def _sign_in(self) -> None:
        try:
            while not self._stop.wait(0.2):
                self._token = self._mint()
                self.tokens += 1
        except Exception as error:  # a thread's exception would be printed and lost
            self._failures.append(error)

    def _call(self, port: int) -> None:
        try:
            with Caller(port) as caller:
                while not self._stop.is_set():
                    status, why = caller.call("/whoami", self._token)
                    with self._lock:
                        self.answers[status] += 1
                        self.why[why] += status != 200
                    time.sleep(_PAUSE_S)
        except Exception as error:
            self._failures.append(error)
