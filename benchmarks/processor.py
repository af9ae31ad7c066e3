"""What a process has taken of the processors, as Linux counts it."""

from pathlib import Path

__all__ = ["seconds_of"]


def seconds_of(pid: int) -> float:
    """Seconds that all its threads have run."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
