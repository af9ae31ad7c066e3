"""Apache Kafka's jars: fetched once by Maven from the root's `pom.xml`, kept in the user's cache."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from revocast.dev.broker.errors import BrokerError

_POM = Path(__file__).parents[4] / "pom.xml"
_INSTALL = """No Kafka to be had here: {missing}. Do one of these:
  - start a Docker engine (the image apache/kafka is used), or
  - install a Java runtime (17 or newer) and Maven; on Debian or Ubuntu:
      apt-get install openjdk-17-jre-headless maven
  - or name a running Kafka 4: REVOCAST_KAFKA=host:port"""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Kafka:
    """What it takes to run a node: the `java` program and the jars, sorted."""

    java: str
    folder: Path
    jars: tuple[Path, ...]


def kafka(progress: Progress) -> Kafka:
    """The jars from the cache, fetched first if this is the first time. Raises BrokerError if they cannot be."""
    java = _java()
    folder = _cache() / f"kafka-{hashlib.sha256(_POM.read_bytes()).hexdigest()[:12]}"
    jars = folder / "jars"
    if not jars.is_dir():
        with locked(folder):
            if not jars.is_dir():  # Another run may have fetched them while we waited.
                _fetch(jars, progress)
    return Kafka(java, folder, tuple(sorted(jars.glob("*.jar"))))


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` against every other run of this user."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "revocast"


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if java is None:
        raise BrokerError(_INSTALL.format(missing="no Docker engine answers and there is no java"))
    return java


def _fetch(jars: Path, progress: Progress) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise BrokerError(_INSTALL.format(missing="no Docker engine answers and there is no mvn (Maven)"))
    progress("Fetching Apache Kafka with Maven (44 MB, once)")
    with tempfile.TemporaryDirectory(dir=jars.parent) as work:
        fetched = Path(work) / "jars"
        _run_maven(
            [
                *(maven, "--batch-mode", "--file", str(_POM), "dependency:copy-dependencies"),
                *("-DincludeScope=runtime", f"-DoutputDirectory={fetched}"),
            ],
            progress,
        )
        fetched.rename(jars)  # All of them or none: a run that was cut short leaves nothing that looks whole.


def _run_maven(command: list[str], progress: Progress) -> None:
    said, count = list[str](), 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as maven:
        assert maven.stdout is not None
        for line in maven.stdout:
            said.append(line)
            if "Downloaded from" in line and ".jar" in line:
                count += 1
                if count % 20 == 0:
                    progress(f"  {count} jars")
    if maven.returncode != 0:
        errors = [line for line in said if "[ERROR]" in line] or said[-20:]
        raise BrokerError(f"Maven could not fetch Apache Kafka:\n{''.join(errors)}")
