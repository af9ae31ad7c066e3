"""How long a guard takes to be ready: from its local copy, from a snapshot, and by reading the whole log."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.benchmark import Benchmark, Run, Target
from benchmarks.peers.large import by_log, by_snapshot
from benchmarks.peers.tables import mapped, write_table
from benchmarks.turns import Seconds
from revocast.dev.broker import running_broker
from revocast.schemas.topics import Topics
from revocast.sdk import Guard
from revocast.testing import Authority

__all__ = ["BENCHMARK"]

_MILLION, _MILLIONS = 1_000_000, 10_000_000
_LOG, _SNAPSHOT, _COPY = "guard, the whole log", "guard, snapshot", "guard, local copy"


def measure(run: Run) -> None:
    """Ten million by the log take minutes: that is for the long run."""
    sizes = run.pick(
        ((20_000, True),), ((_MILLION, True), (_MILLIONS, False)), ((_MILLION, True), (_MILLIONS, True))
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        running_broker(own=True, progress=run.say) as broker,
    ):
        for count, replay in sizes:
            _measure(run, Path(folder), broker.bootstrap, count, replay=replay)


def _measure(run: Run, folder: Path, kafka: str, count: int, *, replay: bool) -> None:
    path = folder / "table"
    write_table(path, count)
    table = mapped(path)
    run.say(f"{count:,} rows are published")
    topics = Topics(f"snapshot-{count}")
    authority = by_snapshot(table, topics, kafka)
    state = folder / f"state-{count}"
    from_snapshot = _start(authority, topics, kafka, state, "snapshot", count, anew=True)
    ours: dict[str, Callable[[], object]] = {
        _SNAPSHOT: from_snapshot,
        # What the start before has left: a start from a snapshot leaves the same as a running guard does.
        _COPY: _start(authority, topics, kafka, state, "local copy", count, anew=False),
    }
    if replay:
        logged = Topics(f"log-{count}")
        writer = by_log(table, logged, kafka)
        ours = {_LOG: _start(writer, logged, kafka, folder / "log", "log", count, anew=True), **ours}
    group = run.group(f"{count:,} live rows", "s", baselines=(_LOG, _SNAPSHOT))
    # Always in this order: the local copy is what the start from the snapshot has left.
    for name, start in ours.items():
        run.say(name)
        rounds = 1 if name == _LOG and count == _MILLIONS else run.pick(1, 3, 5)
        if name == _COPY:
            from_snapshot()
        group.ours(name, [float(str(start())) for _ in range(rounds)])


def _start(
    authority: Authority, topics: Topics, kafka: str, state: Path, origin: str, count: int, *, anew: bool
) -> Callable[[], Seconds]:
    async def start() -> Seconds:
        guard = Guard(
            authority.issuer,
            authority.audience,
            kafka,
            authority.pin,
            prefix=topics.prefix,
            state_dir=state,
            startup_timeout=600,
        )
        started = time.perf_counter()
        await guard.start()
        taken = Seconds(time.perf_counter() - started)
        health = guard.health()
        assert health.origin == origin, health.origin
        assert health.size.base_rows + health.size.overlay_rows >= count, health.size
        await guard.stop()
        return taken

    def begin() -> Seconds:
        if anew:
            shutil.rmtree(state, ignore_errors=True)
        return asyncio.run(start())

    return begin


BENCHMARK = Benchmark(
    name="start",
    title="Start of a guard",
    about=(
        "From `guard.start()` to ready, on one broker on this host, with the Python process running already. *Snapshot*: nothing on the disk; the log was "
        "truncated, and chunks come from the broker, each checked by its hash. *Local copy*: what a guard before has left on the disk, checked by its "
        "checksums, in the page cache. *The whole log*: a thousand rows a record, every signature and the chain verified."
    ),
    measure=measure,
    targets=(
        Target(
            "ready within 2 s from a snapshot of ten million rows",
            f"{_MILLIONS:,} live rows",
            _SNAPSHOT,
            at_most=2,
        ),
        Target(
            "ready within 0.1 s from a local copy of ten million rows",
            f"{_MILLIONS:,} live rows",
            _COPY,
            at_most=0.1,
        ),
    ),
    limit_s=180,
)
