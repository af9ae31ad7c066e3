"""A CDS archive of the classes Kafka loads: a node is up in half the time. Made once, next to the jars."""

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from revocast.dev.broker.artifacts import Kafka, Progress, locked


def archive(kafka: Kafka, progress: Progress, train: Callable[[tuple[str, ...]], None]) -> Path | None:
    """The archive for this `java` and these jars; `train` runs a node once with the given JVM flags to make it.

    None where the JVM cannot make one: nothing but time is lost.
    """
    path = kafka.folder / f"{_jvm(kafka.java)}.jsa"
    if path.exists():
        return path
    with locked(kafka.folder):
        if not path.exists():
            progress("Preparing a class archive for faster starts (once)")
            made = path.with_suffix(f".{os.getpid()}.tmp")
            train((f"-XX:ArchiveClassesAtExit={made}",))
            if not made.exists():
                return None
            made.rename(path)
    return path


def _jvm(java: str) -> str:
    said = subprocess.run([java, "-version"], capture_output=True, check=False)
    return hashlib.sha256(said.stderr).hexdigest()[:12]
