"""The rows, in the order of the page. Each is the module of that name, imported only when it runs: what it needs may be missing."""

from importlib import import_module
from typing import Final

from benchmarks.benchmark import Benchmark

__all__ = ["ROWS", "row"]

ROWS: Final = (
    "known_bad",
    "verification",
    "checking",
    "service",
    "denylist",
    "strictness",
    "fan_out",
    "propagation",
    "replay",
    "revoking",
    "starting",
    "workers",
    "bulk",
)


def row(name: str) -> Benchmark:
    """The row of that name. Raises `ImportError` where something that it needs is not installed."""
    benchmark = import_module(f"benchmarks.rows.{name}").BENCHMARK
    assert isinstance(benchmark, Benchmark)
    assert benchmark.name == name, f"rows/{name}.py calls its benchmark {benchmark.name}"
    return benchmark
