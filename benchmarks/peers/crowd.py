"""Many readers of one topic, in a few processes: guards, or bare consumers.

Times are of CLOCK_MONOTONIC, which is one for all processes of a host.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

__all__ = ["Crowd", "crowd"]

_ROOT: Final = Path(__file__).parents[2]


class Crowd:
    """Readers that wait for one record after the other."""

    def __init__(self, processes: list["subprocess.Popen[str]"]) -> None:
        self._processes = processes

    @property
    def pids(self) -> list[int]:
        """Of the processes."""
        return [process.pid for process in self._processes]

    def arm(self, token: str) -> None:
        """Guards: every one accepts this token now, and will say when it does not. Consumers wait for a record."""
        for process in self._processes:
            _write(process, token)
        for process in self._processes:
            _read(process)

    def times(self) -> list[float]:
        """When each reader had it, in seconds."""
        return [moment for process in self._processes for moment in _read(process)]


@contextmanager
def crowd(
    kind: str, readers: int, processes: int, folder: Path, settings: Mapping[str, Any]
) -> Iterator[Crowd]:
    """So many `guards` or `consumers`, spread evenly, all of them reading. `settings` are the worker's."""
    with ExitStack() as stack:
        started = [
            stack.enter_context(_process(folder / f"{kind}-{number}.log")) for number in range(processes)
        ]
        for number, process in enumerate(started):
            share = readers // processes + (number < readers % processes)
            _write(process, {**settings, "kind": kind, "readers": share, "folder": str(folder / str(number))})
        for process in started:
            _read(process)
        yield Crowd(started)


@contextmanager
def _process(log: Path) -> Iterator["subprocess.Popen[str]"]:
    with log.open("w") as errors:
        command = [sys.executable, "-m", "benchmarks.peers.crowd_worker"]
        process = subprocess.Popen(
            command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _write(process: "subprocess.Popen[str]", value: object) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(value) + "\n")
    process.stdin.flush()


def _read(process: "subprocess.Popen[str]") -> Any:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise ChildProcessError("a process of readers has ended; its log is beside the row's")
    return json.loads(line)
