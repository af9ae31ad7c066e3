"""`python -m revocast.dev.broker` as a child, and waiting for what it leaves or takes away."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def launched() -> Iterator[subprocess.Popen[bytes]]:
    """The launcher's command line; killed when the test fails, waited for in any case."""
    with subprocess.Popen([sys.executable, "-m", "revocast.dev.broker"], stdout=subprocess.PIPE) as parent:
        try:
            yield parent
        except BaseException:
            parent.kill()
            raise


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)
