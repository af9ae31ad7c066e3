"""Measurements, each beside its peers in the same run. `python -m benchmarks --help`.

A row is a module in `rows/`, named in `rows/__init__.py`, that defines `BENCHMARK`. `python -m benchmarks` runs every row in a
process of its own, keeps what it found in `results/`, and writes `docs/benchmarks.md` from there and from nothing else.
"""
