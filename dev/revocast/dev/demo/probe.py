"""Watching one token in every service at once: when did each stop accepting it?

A thread per service asks again a millisecond after it was answered. The moment of refusal is taken as the moment in which
the first refusing answer had arrived, so a figure is too high rather than too low.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from revocast.dev.demo.http import Caller

__all__ = ["Probe", "Refusal"]

_PATH = "/whoami"
_PAUSE_S = 0.001


@dataclass(frozen=True, slots=True)
class Refusal:
    """When a service first refused, in seconds of the monotonic clock, and what it said."""

    at: float
    why: str


class Probe:
    """Polls `token` in every service from `start` until each has refused it. `ports` is by service name."""

    def __init__(self, ports: Mapping[str, int], token: str) -> None:
        self._token = token
        self._accepted = {name: threading.Event() for name in ports}
        self._refusals: dict[str, Refusal] = {}
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._poll, args=(name, port), daemon=True)
            for name, port in ports.items()
        ]

    def start(self, timeout: float = 5.0) -> None:
        """Start polling, and return once every service has accepted the token. Raises `TimeoutError`."""
        for thread in self._threads:
            thread.start()
        for name, accepted in self._accepted.items():
            if not accepted.wait(timeout):
                self._stop.set()
                raise TimeoutError(f"{name} does not accept the token")

    def refusals(self, timeout: float = 10.0) -> Mapping[str, Refusal]:
        """Wait until every service has refused, at most `timeout` seconds; those that have not are not in it."""
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._stop.set()
        return dict(self._refusals)

    def _poll(self, name: str, port: int) -> None:
        with Caller(port) as caller:
            while not self._stop.is_set():
                status, why = caller.call(_PATH, self._token)
                if status == 200:
                    self._accepted[name].set()
                elif self._accepted[name].is_set():
                    self._refusals[name] = Refusal(time.monotonic(), f"{status} {why}".strip())
                    return
                else:
                    return
                time.sleep(_PAUSE_S)  # a service that is only polled would have no time to learn anything
