"""The demo's child processes: started, watched, stopped, and gone with us however we go."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from revocast.dev.broker.reaper import Reaper

__all__ = ["DemoError", "Process", "Processes", "wait_until"]

_STOP_S = 8.0
_LOG_LINES = 25


class DemoError(Exception):
    """The demo cannot go on; the text says why and ends with the log of what failed."""


class Process:
    """One child, with its log file."""

    def __init__(self, name: str, popen: "subprocess.Popen[bytes]", log: Path) -> None:
        self.name = name
        self.log = log
        self._popen = popen

    @property
    def pid(self) -> int:
        """Also the id of its process group."""
        return self._popen.pid

    def check_running(self) -> None:
        """Raises `DemoError` with the end of its log when it has ended."""
        if (code := self._popen.poll()) is not None:
            raise DemoError(f"{self.name} ended with {code}.\n{self.log_tail()}")

    def log_tail(self) -> str:
        """The last lines that it wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_LOG_LINES:])

    def signal(self, signum: signal.Signals) -> None:
        """Signal it and whatever it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signum)

    def wait(self, timeout: float) -> bool:
        """Whether it has ended within `timeout` seconds."""
        try:
            self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True


class Processes:
    """All children. A reaper outside this process kills them when it is gone, and deletes `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reaper = Reaper(folder)
        self._running: list[Process] = []

    def start(self, name: str, command: Sequence[str], environ: Mapping[str, str]) -> Process:
        """Start `command` in a group of its own; it writes to a log file named after it."""
        log = self._folder / f"{name}.log"
        with log.open("ab") as output:
            popen = subprocess.Popen(
                command,
                cwd=self._folder,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is ours; we end them in our order
            )
        self._reaper.watch("pid", popen.pid)
        process = Process(name, popen, log)
        self._running.append(process)
        return process

    def stop(self, process: Process) -> None:
        """SIGTERM, and SIGKILL when it does not end in time."""
        process.signal(signal.SIGTERM)
        if not process.wait(_STOP_S):
            process.signal(signal.SIGKILL)
        self._forget(process)

    def kill(self, process: Process) -> None:
        """SIGKILL: gone between two instructions."""
        process.signal(signal.SIGKILL)
        self._forget(process)

    def close(self) -> None:
        """Stop everything at once, the last started first, and delete the folder."""
        for process in reversed(self._running):
            process.signal(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_S
        for process in list(reversed(self._running)):
            if not process.wait(max(0.0, deadline - time.monotonic())):
                process.signal(signal.SIGKILL)
            self._forget(process)
        self._reaper.close()

    def _forget(self, process: Process) -> None:
        process.wait(_STOP_S)
        process.signal(signal.SIGKILL)  # whatever it left behind in its group
        self._running.remove(process)
        self._reaper.forget("pid", process.pid)


def wait_until(what: str, done: Callable[[], bool], process: Process, timeout: float = 60.0) -> None:
    """Poll until `done`; raises `DemoError` when `process` ends before, or time is up."""
    deadline = time.monotonic() + timeout
    while not done():
        process.check_running()
        if time.monotonic() > deadline:
            raise DemoError(f"{what} took longer than {timeout:.0f} s.\n{process.log_tail()}")
        time.sleep(0.05)
