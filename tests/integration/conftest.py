"""Ways to run a Kafka, each made the one that `running_broker` takes."""

from collections.abc import Iterator

import docker
import pytest

from revocast.dev.broker import engine
from revocast.dev.broker.container import image_name


@pytest.fixture
def containers(monkeypatch: pytest.MonkeyPatch) -> Iterator[docker.DockerClient]:
    """Containers, on this Docker engine."""
    if not engine.answers():
        pytest.skip("no Docker engine answers on this host")
    if why := engine.missing(image_name(), print):
        pytest.skip(why)
    monkeypatch.setenv("REVOCAST_BROKER", "container")
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(params=["jvm", pytest.param("container", marks=pytest.mark.containers)])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way in turn."""
    if request.param == "container":
        request.getfixturevalue("containers")
    else:
        monkeypatch.setenv("REVOCAST_BROKER", request.param)
