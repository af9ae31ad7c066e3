"""Measurements, each beside a peer or the raw operation in the same run. `python -m benchmarks --help`."""
