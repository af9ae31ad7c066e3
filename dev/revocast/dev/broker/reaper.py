"""Cleans up after a parent that cannot: SIGKILLed, SIGTERMed, or crashed.

A small process holds the read end of a pipe whose write end only the parent has. Every line says what to end; when the
pipe closes the parent is gone, however it went, and the reaper ends what is left, last things first. (Linux's
PR_SET_PDEATHSIG would fire when the starting *thread* ends, and would leave the data behind.)
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path


class Reaper:
    """Start it before the first thing that must not survive this process. It deletes `folder` last."""

    def __init__(self, folder: Path | None = None) -> None:
        # A session of its own: the terminal's Ctrl-C must not reach it before the parent has cleaned up.
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-E", "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        if folder is not None:
            self.watch("folder", str(folder))

    def watch(self, kind: str, name: str | int) -> None:
        """When this process dies, kill a process (`kind` "pid"), delete a "folder", or remove a broker's "containers"."""
        self._say(f"+{kind} {name}")

    def forget(self, kind: str, name: str | int) -> None:
        """It has ended; its pid may be another's soon."""
        self._say(f"-{kind} {name}")

    def close(self) -> None:
        """Let it do its work now, and wait for it."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()


def _main() -> None:
    left = dict[str, None]()
    for line in sys.stdin:
        sign, what = line[0], line[1:].rstrip("\n")
        if sign == "+":
            left[what] = None
        else:
            left.pop(what, None)
    for what in reversed(left):
        kind, _, name = what.partition(" ")
        _END[kind](name)


def _kill(pid: str) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(pid), signal.SIGKILL)


def _remove_containers(name: str) -> None:
    # A Python with its packages, which this one goes without to start quickly.
    subprocess.run([sys.executable, "-P", str(Path(__file__).with_name("engine.py")), name], check=False)


def _delete(folder: str) -> None:
    # A process that was just killed may still be creating a file: then the folder is not empty, and we look again.
    for _ in range(50):
        shutil.rmtree(folder, ignore_errors=True)
        if not Path(folder).exists():
            return


_END = {"pid": _kill, "containers": _remove_containers, "folder": _delete}

if __name__ == "__main__":
    _main()
