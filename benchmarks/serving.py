"""An ASGI application in a process of its own, under uvicorn."""

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from revocast.dev.broker.ports import free_ports
from revocast.dev.demo.http import answers
from revocast.dev.demo.processes import Processes, wait_until

__all__ = ["serving"]

_ROOT = Path(__file__).parents[1]


@contextmanager
def serving(
    app: str, *options: str, path: str = "/", environ: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Its port, once it says 200 to `path`. `app` and `options` are as uvicorn takes them; `environ` adds to ours."""
    (port,) = free_ports(1)
    folder = Path(tempfile.mkdtemp(prefix="revocast-bench-"))
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(_ROOT), "--port", str(port)]
    with closing(Processes(folder)) as processes:
        process = processes.start(
            "service",
            [*command, "--log-level", "warning", "--no-access-log", *options, app],
            {**os.environ, **(environ or {})},
        )
        wait_until(f"the start of {app}", lambda: answers(port, path), process)
        try:
            yield port
        except BaseException:
            print(f"{app}:\n{process.log_tail()}", flush=True)  # the log goes with the folder
            raise
