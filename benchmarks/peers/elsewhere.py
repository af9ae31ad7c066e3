"""A library that needs a newer Python than ours, in a process of its own: `ryjwt`.

The process is asked over a pipe, and takes its own time. The interpreter is
`REVOCAST_BENCH_PYTHON`, else the first of `python3.14`, `python3.13` and `python3.12` that runs; `uv` brings the library.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from benchmarks.turns import Seconds

__all__ = ["Elsewhere"]

_WORKER: Final = Path(__file__).with_name("elsewhere_worker.py")
_NEWER: Final = ("python3.14", "python3.13", "python3.12")
_LIBRARY: Final = "ryjwt==0.2.2"
_START_S: Final = 60


class Elsewhere:
    """One key's decoder in another process. Raises `ImportError` where there is no such interpreter, or no library for it."""

    def __init__(self, pem: bytes, issuer: str, audience: str, alg: str) -> None:
        self._process = subprocess.Popen(
            [*_interpreter(), str(_WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._ask({"pem": pem.decode(), "issuer": issuer, "audience": audience, "alg": alg})

    def decode(self, token: str) -> object:
        """Raises `ValueError` for a token that the library refuses."""
        if not self._ask({"judge": token}):
            raise ValueError("refused")
        return None

    def turn(self, tokens: Sequence[str]) -> Callable[[], Seconds]:
        """They are handed over before they are timed, and timed over there."""
        self._ask({"take": list(tokens)})
        return lambda: Seconds(self._ask({"each": True}))

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(5)

    def _ask(self, question: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise ChildProcessError("the process that decodes has ended")
        return json.loads(answer)


@cache
def _interpreter() -> tuple[str, ...]:
    """The command that runs a newer Python with the library."""
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(__file__).parents[2] / ".uv" / "bin"))
    named = os.environ.get("REVOCAST_BENCH_PYTHON")
    newer = next((name for name in ([named] if named else _NEWER) if _runs([name, "-c", ""])), None)
    if uv is None or newer is None:
        raise ImportError("it needs Python 3.12, which REVOCAST_BENCH_PYTHON may name")
    isolated = (
        "run",
        "--no-project",
        "--isolated",
        "--quiet",
        "--python",
        newer,
        "--with",
        _LIBRARY,
        "python",
    )
    if not _runs([uv, *isolated, "-c", "import ryjwt"]):
        raise ImportError(f"{_LIBRARY} could not be installed for {newer}")
    return (uv, *isolated)


def _runs(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=_START_S).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
