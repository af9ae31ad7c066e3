"""Who writes the base: of all workers of a host, the one that holds the lock on a file beside it.

* The lock goes with the process: killed in whatever moment, it is free, and the next who asks has it.
* A fork inherits the open file and with it a share in the lock; the child lets go of its share at once (`after_fork`).
* Where the system has no such lock (Windows) nobody has it, and nobody writes: each process keeps a base of its own.
"""

import contextlib
import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["BaseLock"]


class BaseLock:
    """One file, never removed: who opened a removed one would hold a lock that nobody else sees."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.contended = False
        """Whether another one held it at the last try. False also where there are no locks."""
        self.problem = ""
        """Why nobody can have it; empty: somebody can, or this system has no such locks."""
        self._handle: int | None = None

    @property
    def held(self) -> bool:
        """Whether this process writes."""
        return self._handle is not None

    def try_acquire(self) -> bool:
        """Take it if it is free. Does not wait."""
        if self._handle is not None or fcntl is None:
            return self.held
        self.contended, self.problem, handle = False, "", None
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.contended = isinstance(error, BlockingIOError)
            if not self.contended:
                self.problem = f"the local copy cannot be written: {error.strerror}"
            if handle is not None:
                os.close(handle)
            return False
        self._handle = handle
        return True

    def release(self) -> None:
        """Let another have it."""
        if self._handle is not None and fcntl is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(self._handle, fcntl.LOCK_UN)
        self.after_fork()

    def after_fork(self) -> None:
        """In the child: close what was inherited. The parent goes on holding the lock."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
