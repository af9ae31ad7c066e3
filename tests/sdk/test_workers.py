"""Many workers on one host, under real servers: one mapped base, one writer at a time, and every worker refuses by itself."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from revocast.dev.broker.ports import free_ports
from revocast.schemas.topics import Topics
from revocast.sdk.base_lock import BaseLock
from revocast.testing import Authority
from tests.sdk.stage import stage, until

pytestmark = pytest.mark.long

WORKERS = 8
SERVERS = {
    "uvicorn": ("-m", "uvicorn", "tests.sdk.worker_app:asgi", "--workers", str(WORKERS), "--port"),
    "gunicorn": (
        *("-m", "gunicorn", "tests.sdk.worker_app:started()", "--preload", "--workers", str(WORKERS)),
        *("--threads", "2", "--worker-class", "gthread", "--graceful-timeout", "5", "--bind"),
    ),
}


class Workers:
    """The workers behind one port. Which of them answers is the kernel's choice, so one asks until all have."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/"

    def ask(self, token: str = "") -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(self._url + token, timeout=5).json()
        return found

    def all(self, token: str = "", among: int = WORKERS) -> dict[int, dict[str, Any]]:
        """The answer of each worker, by pid."""
        found: dict[int, dict[str, Any]] = {}
        deadline = time.monotonic() + 60
        while len(found) < among:
            assert time.monotonic() < deadline, f"not every worker answers: {found}"
            try:
                word = self.ask(token)
            except httpx.TransportError:
                continue
            found[word["pid"]] = word
        return found


@contextmanager
def serving(kind: str, environ: dict[str, str], log: Path) -> Iterator[Workers]:
    (port,) = free_ports(1)
    at = str(port) if kind == "uvicorn" else f"127.0.0.1:{port}"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, *SERVERS[kind], at], env={**os.environ, **environ}, stdout=out, stderr=out
        )
    try:
        yield Workers(port)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{log.read_text()}") from error
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def mapped_inodes(pid: int, path: Path) -> set[str]:
    """Inodes of the base files that a process has mapped."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return {line.split()[4] for line in lines if re.search(rf"{re.escape(str(path))}\S*\.base", line)}


def holder_of(path: Path, pids: set[int]) -> int | None:
    """Which worker holds the lock: whose open file it is that /proc/locks names."""
    inode = str(path.stat().st_ino)
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()
        if "FLOCK" in fields and fields[5].endswith(f":{inode}") and int(fields[4]) in pids:
            return int(fields[4])
    return None


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="reads /proc")
@pytest.mark.parametrize("kind", SERVERS)
async def test_workers_share_one_mapped_base_and_each_refuses_by_itself(
    kafka: str, prefix: str, topics: Topics, tmp_path: Path, kind: str
) -> None:
    authority = Authority(now=int(time.time()))
    early, late = authority.mint(sub="early"), authority.mint(sub="late")
    for number in range(50):
        authority.block(authority.subject(f"user-{number}"))
    authority.revoke(early)
    authority.checkpoint()
    state = tmp_path / "state"
    environ = {
        "REVOCAST_ISSUER": authority.issuer,
        "REVOCAST_AUDIENCE": authority.audience,
        "REVOCAST_KAFKA": kafka,
        "REVOCAST_ROOT": authority.pin,
        "REVOCAST_PREFIX": prefix,
        "REVOCAST_STATE_DIR": str(state),
    }
    async with stage(authority, topics, kafka) as staged:
        with serving(kind, environ, tmp_path / "log") as workers:
            found = await asyncio.to_thread(workers.all, early)
            assert {word["code"] for word in found.values()} == {"token_revoked"}
            found = await asyncio.to_thread(workers.all, late)
            assert {word["code"] for word in found.values()} == {"good"}
            pids = set(found)

            await until(lambda: all(len(mapped_inodes(pid, state)) == 1 for pid in pids), seconds=20)
            inodes = set().union(*(mapped_inodes(pid, state) for pid in pids))
            assert len(inodes) == 1, "all of them have mapped the same file"

            authority.revoke(late)
            authority.checkpoint()
            await staged.publish()

            def all_refuse() -> bool:
                return {word["code"] for word in workers.all(late).values()} == {"token_revoked"}

            deadline = time.monotonic() + 60
            while not await asyncio.to_thread(all_refuse):
                assert time.monotonic() < deadline, "not every worker refuses"

            lock = next(state.glob("*.lock"))
            everybody = descendants(os.getpid())
            writer = holder_of(lock, everybody)
            assert writer is not None
            if kind == "uvicorn":  # under --preload it is the parent, whose end would be that of the workers
                assert writer in pids
                os.kill(writer, signal.SIGKILL)
                await until(
                    lambda: holder_of(lock, descendants(os.getpid())) not in (None, writer), seconds=20
                )
    assert BaseLock(lock).try_acquire(), "nobody is left who holds it"


def descendants(pid: int) -> set[int]:
    """All processes below one."""
    parents: dict[int, int] = {}
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            try:
                parents[int(each.name)] = int((each / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = {pid}
    while new := {child for child, parent in parents.items() if parent in found} - found:
        found |= new
    return found - {pid}
