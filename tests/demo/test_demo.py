"""`make demo`, as a person runs it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from revocast.dev.demo.deployment import SERVICES
from revocast.dev.demo.scenes import SCENES


@contextmanager
def _demo(kafka: str, folder: Path, *arguments: str) -> "Iterator[subprocess.Popen[str]]":
    """The demo on the run's Kafka, its folders in `folder`; killed if the test fails."""
    environ = {**os.environ, "REVOCAST_KAFKA": kafka, "TMPDIR": str(folder)}
    command = [sys.executable, "-u", "-m", "revocast.dev.demo", *arguments]
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as demo:
        try:
            yield demo
        except BaseException:
            demo.kill()
            raise


def _processes_in(folder: Path) -> list[int]:
    """The processes that work in `folder`, or did before it was deleted."""
    found = []
    for cwd in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if str(cwd.readlink()).startswith(str(folder)):
                found.append(int(cwd.parent.name))
        except OSError:  # it has ended, or is not ours
            continue
    return found


def _left_in(folder: Path) -> tuple[list[int], list[Path]]:
    """Processes and files."""
    return _processes_in(folder), list(folder.iterdir())


async def _topics(kafka: str) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        return {name for name in await admin.list_topics() if name.startswith("demo-")}
    finally:
        await admin.close()


def _until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


@pytest.mark.timeout(240)
async def test_every_scene_is_as_it_must_be_and_nothing_is_left_behind(kafka: str, tmp_path: Path) -> None:
    before = await _topics(kafka)
    with _demo(kafka, tmp_path, "--once", "--samples", "3") as demo:
        output = demo.communicate()[0]
    assert demo.returncode == 0, output
    assert "NOT SO" not in output
    assert all(f"{number}. {title}" in output for number, (title, _) in enumerate(SCENES, start=1))
    summary = output.partition("Summary")[2]
    assert summary.count("✓") == len(SCENES)
    assert all(service in summary for service in SERVICES)
    assert _left_in(tmp_path) == ([], [])
    assert await _topics(kafka) <= before


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_a_demo_that_is_killed_or_interrupted_leaves_no_process_and_no_folder(
    kafka: str, tmp_path: Path, signum: signal.Signals, code: int
) -> None:
    with _demo(kafka, tmp_path) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "the issuer starts" in line:
                break
        _until(lambda: len(_processes_in(tmp_path)) >= 1 + len(SERVICES))
        demo.send_signal(signum)
        demo.stdout.read()
        assert demo.wait() == code
    _until(lambda: _left_in(tmp_path) == ([], []))
