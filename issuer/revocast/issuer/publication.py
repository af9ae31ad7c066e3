"""News between the threads of one process: something was committed, something was acknowledged by Kafka.

The database says the same to other processes; this only spares the wait for it.

What is acknowledged here, readers enforce. In a new epoch that begins with the record that closes its live set: before it,
readers keep the old table and wait. It covers every record of older epochs, published or not, for their effect is in it.
"""

import asyncio
import threading
from collections.abc import Callable

from revocast.issuer.authority.answers import RelayReport

__all__ = ["Publication"]

_Place = tuple[int, int]


class Publication:
    """One per process, shared by `Service` and `Relay`. Thread-safe."""

    def __init__(self) -> None:
        self.leading = False
        """Whether this process's relay publishes: then no waiter needs to ask the database."""
        self.relay = RelayReport()
        """What this process's relay last said about itself."""
        self._lock = threading.Lock()
        self._acknowledged: _Place = (0, 0)
        self._waiters: list[tuple[_Place, asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._on_commit: Callable[[], None] = lambda: None

    def when_committed(self, wake: Callable[[], None]) -> None:
        """Register the relay's wake-up; it may be called from any thread."""
        self._on_commit = wake

    def committed(self) -> None:
        """Something to publish is in the database."""
        self._on_commit()

    def covers(self, epoch: int, n: int) -> bool:
        """Whether Kafka has this record and its epoch's live set, as far as this process knows."""
        return (epoch, n) <= self._acknowledged

    def forget(self) -> None:
        """A relay begins to check the log: the database may be another one than before."""
        self._acknowledged = (0, 0)

    def acknowledged(self, epoch: int, n: int) -> None:
        """Kafka has everything up to this record, the live set of its epoch included."""
        with self._lock:
            self._acknowledged = max(self._acknowledged, (epoch, n))
            due = [waiter for waiter in self._waiters if waiter[0] <= self._acknowledged]
            self._waiters = [waiter for waiter in self._waiters if waiter[0] > self._acknowledged]
        for _, loop, event in due:
            loop.call_soon_threadsafe(event.set)

    async def wait(self, epoch: int, n: int, timeout_s: float) -> bool:
        """Wait for this record's acknowledgement, at most `timeout_s` seconds; whether it came."""
        event = asyncio.Event()
        waiter = ((epoch, n), asyncio.get_running_loop(), event)
        with self._lock:
            if (epoch, n) <= self._acknowledged:
                return True
            self._waiters.append(waiter)
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            return False
        finally:
            with self._lock:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
        return True
