"""The Docker engine: whether it answers, what image it lacks, and the removal of what a broker made there.

Also a program, for the reaper: `python engine.py NAME` removes what the broker NAME made. It imports nothing of ours.
"""

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import docker
from docker.errors import DockerException, ImageNotFound
from testcontainers.core.docker_client import DockerClient

LABEL = "revocast.broker"  # on everything that a broker makes; its value is the broker's name
Failure = (DockerException, OSError)  # OSError: an engine that hangs or goes away in mid-sentence

_HERE = ("localhost", "localnpipe", "127.0.0.1")


def answers() -> bool:
    """Whether a Docker engine answers that publishes ports on this host."""
    try:
        with _engine(timeout=5) as engine:
            return urlsplit(engine.api.base_url).hostname in _HERE
    except Failure:
        return False


@functools.cache  # A registry out of reach may take long to say so: ask once in a process.
def missing(image: str, progress: Callable[[str], None]) -> str | None:
    """Pull `image` unless it is there. None if it is there now, else why it is not."""
    try:
        with _engine() as engine:
            try:
                engine.images.get(image)
            except ImageNotFound:
                progress(f"Pulling {image} (once)")
                engine.images.pull(image)
    except Failure as error:
        return f"Docker has no image {image} and could not pull it: {reason(error)}"
    return None


def remove(name: str) -> None:
    """Remove the containers, volumes and network of the broker called `name`."""
    its_own = {"label": f"{LABEL}={name}"}
    with _engine() as engine:
        for container in engine.containers.list(all=True, filters=its_own, ignore_removed=True):
            container.remove(force=True, v=True)
        for network in engine.networks.list(filters=its_own):
            network.remove()


def reason(error: BaseException) -> str:
    """What the engine said, without the library's words around it."""
    return str(getattr(error, "explanation", None) or error)


@contextmanager
def _engine(timeout: float = 60) -> Iterator[docker.DockerClient]:
    # By testcontainers, which also knows `docker context`; it raises if nothing answers.
    engine = DockerClient(timeout=timeout).client
    try:
        yield engine
    finally:
        engine.close()


if __name__ == "__main__":
    remove(sys.argv[1])
