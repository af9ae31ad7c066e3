"""Requests as fast as a service answers them: by `wrk` where it is installed, else by a small client of our own.

Ours takes about as much of the machine as the service does, so that its figures are lower; it says so.
"""

import asyncio
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Final

__all__ = ["Load", "generator", "load"]

_CONNECTIONS: Final = 32
_UNITS: Final = {"us": 1e-3, "ms": 1.0, "s": 1e3}
_LUA: Final = """
local tokens, next = {{{tokens}}}, 0
request = function()
  next = next % #tokens + 1
  return wrk.format("GET", "{path}", {{Authorization = "Bearer " .. tokens[next]}})
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it: requests a second, and the 99th percentile of the time to an answer, in milliseconds."""

    rate: float
    p99: float


def generator() -> str:
    """What makes the requests."""
    return "wrk" if shutil.which("wrk") else "a client in Python, for want of wrk"


def load(port: int, path: str, tokens: Sequence[str], seconds: float) -> Load:
    """Ask over 32 connections, with one token after the other. Raises `ValueError` when an answer is not 200."""
    if shutil.which("wrk"):
        return _wrk(port, path, tokens, seconds)
    return asyncio.run(_own(port, path, tokens, seconds))


def _wrk(port: int, path: str, tokens: Sequence[str], seconds: float) -> Load:
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "requests.lua")
        script.write_text(_LUA.format(tokens=",".join(f'"{token}"' for token in tokens), path=path))
        command = ["wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{seconds:.0f}s", "--latency", "-s", str(script)]
        done = subprocess.run(
            [*command, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True
        )
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", done.stdout)
    if "Non-2xx" in done.stdout or rate is None or p99 is None:
        raise ValueError(f"wrk: {done.stdout}")
    return Load(float(rate[1]), float(p99[1]) * _UNITS[p99[2]])


async def _own(port: int, path: str, tokens: Sequence[str], seconds: float) -> Load:
    requests = cycle(
        f"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        for token in tokens
    )
    times: list[float] = []
    started = time.perf_counter()

    async def ask() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (begun := time.perf_counter()) < started + seconds:
            writer.write(next(requests))
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            if not head.startswith(b"HTTP/1.1 200") or length is None:
                raise ValueError(f"not a good answer: {head[:40]!r}")
            await reader.readexactly(int(length[1]))
            times.append(time.perf_counter() - begun)
        writer.close()

    await asyncio.gather(*(ask() for _ in range(_CONNECTIONS)))
    ordered = sorted(times)
    return Load(
        len(ordered) / (time.perf_counter() - started), ordered[round(0.99 * (len(ordered) - 1))] * 1e3
    )
