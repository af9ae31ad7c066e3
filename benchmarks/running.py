"""One row after the other, each in a process of its own: what a row leaves in memory, how it crashes and how long it hangs is
no other row's business.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.benchmark import Effort
from benchmarks.figures import Result
from benchmarks.rows import row

__all__ = ["RowFailed", "run_row"]

_TAIL = 15


class RowFailed(Exception):
    """A row gave no result; the text says why."""


def run_row(name: str, effort: Effort) -> Result:
    """Measure one row. Raises `RowFailed`, with the end of what it wrote. Nothing that it started outlives it."""
    try:
        benchmark = row(name)
    except ImportError as error:
        raise RowFailed(f"{error}; `make bench` installs it") from error
    limit = benchmark.full_limit_s if effort == "full" else benchmark.limit_s
    with tempfile.TemporaryDirectory(prefix="revocast-bench-", ignore_cleanup_errors=True) as folder:
        out, log = Path(folder, "result.json"), Path(folder, "log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.measure", name, effort, str(out)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "TMPDIR": folder},
            )
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            raise RowFailed(f"it was not done after {limit:.0f} s.\n{_end_of(log)}") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if code or not out.exists():
            raise RowFailed(f"it ended with {code}.\n{_end_of(log)}")
        return Result.model_validate_json(out.read_bytes())


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-_TAIL:])
