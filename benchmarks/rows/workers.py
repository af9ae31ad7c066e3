"""Eight workers of a service on one host: what they hold in memory together, and what each costs while nothing happens."""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from benchmarks.benchmark import Benchmark, Run
from benchmarks.peers.crowd import crowd
from benchmarks.peers.tables import write_table
from benchmarks.processor import seconds_of
from benchmarks.rows.starting import Large, stage_large
from revocast.dev.broker import running_broker
from revocast.dev.broker.ports import free_ports
from revocast.dev.broker.topics import create_topic
from revocast.dev.demo.processes import Process, Processes, wait_until

__all__ = ["BENCHMARK"]

_WORKERS = 8
_ROOT = Path(__file__).parents[2]
_APP = "benchmarks.peers.service_app"
_TOPIC = "bench.bare"
_MIB = 1024
_QUIET, _BUSY = 3.0, 5.0
"""Seconds in which a worker takes less than so many percent of a core, when a start has left nothing to be done."""
_GUARD, _BARE, _UNGUARDED = "guard", "bare aiokafka consumer", "worker without a guard"


def measure(run: Run) -> None:
    """Ten million rows, which workers share; then processes that have nothing to do."""
    rows = run.pick(20_000, 10_000_000, 10_000_000)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(running_broker(own=True, progress=run.say))
        large = asyncio.run(stage_large(broker.bootstrap, rows))
        with _workers(large, folder, "open_to_all", lambda pid: True) as pids:
            bare = [_pss(pid) for pid in pids]
            unguarded = _idle(run, pids)
        with _workers(large, folder, "guarded", _has_base) as pids:
            guarded = [_pss(pid) for pid in pids]
            idle = _idle(run, pids)
        memory = run.group(
            f"{_WORKERS} workers, {rows:,} rows",
            "MiB (PSS) in all",
            baselines=("each with a set of its own (computed)",),
        )
        memory.peer("without a guard", [sum(bare)])
        memory.peer("each with a set of its own (computed)", [sum(bare) + _WORKERS * _set(folder, rows)])
        memory.ours("with a guard", [sum(guarded)])
        asyncio.run(create_topic(_TOPIC, broker.bootstrap))
        settings = {"kafka": broker.bootstrap, "topic": _TOPIC}
        with crowd("consumers", 1, 1, folder, settings) as consumers:
            alone = _idle(run, consumers.pids)
    cpu = run.group("Idle", "% of a core a process", baselines=(_BARE,))
    cpu.peer(_BARE, alone)
    cpu.peer(f"{_UNGUARDED}, each of {_WORKERS}", unguarded)
    cpu.ours(f"{_GUARD}, each of {_WORKERS} workers", idle)


@contextmanager
def _workers(large: Large, folder: Path, factory: str, ready: Callable[[int], bool]) -> Iterator[list[int]]:
    (port,) = free_ports(1)
    environ = {
        **os.environ,
        "REVOCAST_ISSUER": large.authority.issuer,
        "REVOCAST_AUDIENCE": large.authority.audience,
        "REVOCAST_KAFKA": large.kafka,
        "REVOCAST_PREFIX": large.cut.prefix,
        "REVOCAST_ROOT": large.authority.pin,
        "REVOCAST_STATE_DIR": str(folder / "state"),
        "REVOCAST_STARTUP_TIMEOUT": "90",
    }
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(_ROOT), "--port", str(port)]
    command += ["--workers", str(_WORKERS), "--log-level", "warning", "--factory", f"{_APP}:{factory}"]
    logs = Path(tempfile.mkdtemp(prefix="revocast-bench-"))
    with closing(Processes(logs)) as processes:
        process = processes.start("workers", command, environ)
        wait_until("the workers' start", lambda: _ready(process, ready), process, 90)
        pids = _children(process.pid)
        _wait_for_rest(pids)
        yield pids


def _ready(process: Process, ready: Callable[[int], bool]) -> bool:
    pids = _children(process.pid)
    return len(pids) == _WORKERS and all(ready(pid) and _has_loaded(pid) for pid in pids)


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [child for child in map(int, text.split()) if "spawn_main" in _command(child)]


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")


def _has_loaded(pid: int) -> bool:
    return "uvloop" in Path(f"/proc/{pid}/maps").read_text()


def _has_base(pid: int) -> bool:
    return ".base" in Path(f"/proc/{pid}/maps").read_text()


def _pss(pid: int) -> float:
    found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / _MIB


def _set(folder: Path, rows: int) -> float:
    """What a set of so many fingerprints takes in a process, in MiB: by a smaller one, measured, where they are very many."""
    path, measured = folder / "table", min(rows, 1_000_000)
    write_table(path, measured)
    command = [sys.executable, "-m", "benchmarks.peers.held", "set", str(path)]
    taken = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True).stdout
    return int(taken) / 2**20 * rows / measured


def _wait_for_rest(pids: list[int]) -> None:
    """A base that came as a snapshot is merged once, for its filter; and the pages of a start are none of a worker at rest."""
    deadline = time.monotonic() + 60
    while max(_load(pids, _QUIET)) > _BUSY:
        if time.monotonic() > deadline:
            raise TimeoutError("the workers do not come to rest")


def _idle(run: Run, pids: list[int]) -> list[float]:
    return _load(pids, run.pick(1.0, 20.0, 60.0))


def _load(pids: list[int], seconds: float) -> list[float]:
    """Percent of a core that each took in the next seconds."""
    before = [seconds_of(pid) for pid in pids]
    time.sleep(seconds)
    spent = [seconds_of(pid) - earlier for pid, earlier in zip(pids, before, strict=True)]
    return [100 * each / seconds for each in spent]


BENCHMARK = Benchmark(
    name="workers",
    title="Many workers on one host",
    about=(
        f"uvicorn with {_WORKERS} workers of one service, each with a guard: they map one base file, which one of them has written. Proportional set sizes "
        "from `/proc/PID/smaps_rollup`: a page that several map is divided among them. The set is one of a million fingerprints, measured in a process of its own, "
        "times ten, times eight, and the workers without a guard. Idle: processor time over twenty seconds, in which nothing is revoked and nothing asked, "
        "beside a process with one bare consumer of one topic; a guard follows three, beside the server's own loop."
    ),
    measure=measure,
    limit_s=240,
)
