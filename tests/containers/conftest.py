"""The engine, the images, and the two deployments, which all tests of a run share."""

import secrets
import subprocess
from collections.abc import Iterator

import docker
import pytest

from revocast.dev.broker import engine
from tests.containers.composed import HARDENED, IMAGES, PLAIN, Composed
from tests.containers.sample import register


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[docker.DockerClient]:
    """An engine with Compose."""
    if not engine.answers():
        pytest.skip("no Docker engine answers on this host")
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker has no Compose v2")
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(scope="session")
def tag(docker_engine: docker.DockerClient) -> Iterator[str]:
    """The tag of the four images, built from this tree."""
    tag = f"test-{secrets.token_hex(4)}"
    Composed(PLAIN, tag).run("build", timeout=1200)
    yield tag
    for name in IMAGES:
        docker_engine.images.remove(f"revocast-{name}:{tag}", force=True)


@pytest.fixture(scope="session")
def plain(tag: str) -> Iterator[Composed]:
    """docker-compose.yml, up, with a client registered."""
    yield from _running(Composed(PLAIN, tag))


@pytest.fixture(scope="session")
def hardened(tag: str) -> Iterator[Composed]:
    """The same with docker-compose.hardened.yml on top."""
    yield from _running(Composed(HARDENED, tag))


def _running(composed: Composed) -> Iterator[Composed]:
    try:
        composed.up()
        register(composed)
        yield composed
    finally:
        composed.down("--volumes")
