"""`python -m benchmarks.measure ROW EFFORT FILE`: measure one row in this process, and write its result. For `python -m benchmarks`."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.benchmark import Benchmark, Effort, Run
from benchmarks.figures import Result
from benchmarks.machine import machine
from benchmarks.rows import row

__all__ = ["measured"]


def measured(benchmark: Benchmark, run: Run) -> Result:
    """Run it, and judge its targets."""
    started, taken = time.perf_counter(), datetime.now(UTC)
    benchmark.measure(run)
    groups = run.groups
    goals = [target.judge(groups) for target in benchmark.targets]
    return Result(
        name=benchmark.name,
        title=benchmark.title,
        about=benchmark.about,
        effort=run.effort,
        taken=taken.strftime("%Y-%m-%d %H:%M UTC"),
        seconds=round(time.perf_counter() - started, 1),
        machine=machine(),
        groups=tuple(groups.values()),
        goals=tuple(goal for goal in goals if goal is not None),
        notes=tuple(run.notes),
        tried=benchmark.tried,
        profile=run.profile,
    )


def main(name: str, effort: Effort, file: str) -> None:
    """Measure and write."""
    run = Run(effort, lambda text: print(text, flush=True))
    Path(file).write_text(measured(row(name), run).model_dump_json(), encoding="utf-8")


if __name__ == "__main__":
    effort = sys.argv[2]
    assert effort in ("quick", "default", "full")
    main(sys.argv[1], effort, sys.argv[3])  # type: ignore[arg-type]
