"""`docker compose up` is a whole deployment, plain and hardened."""

import json
from typing import Any, cast

import docker
import pytest

from tests.containers.composed import HARDENED, Composed
from tests.containers.sample import becomes, mint, status

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1800)]

RUNNING = {"kafka", "postgres", "issuer", "streams", "orders"}
ONCE = {"secrets", "topics", "init"}


@pytest.fixture(params=["plain", "hardened"])
def deployment(request: pytest.FixtureRequest) -> Composed:
    """Each in turn."""
    return cast(Composed, request.getfixturevalue(request.param))


@pytest.fixture
def containers(deployment: Composed, docker_engine: docker.DockerClient) -> dict[str, Any]:
    """What the engine says of each container, by service."""
    return {
        found.labels["com.docker.compose.service"]: found.attrs
        for found in docker_engine.containers.list(all=True, filters=_its_own(deployment))
    }


def test_everything_is_healthy_and_what_runs_once_has_ended_well(containers: dict[str, Any]) -> None:
    states = {name: found["State"] for name, found in containers.items()}

    assert {
        name for name, state in states.items() if state.get("Health", {}).get("Status") == "healthy"
    } == RUNNING
    assert states.keys() - RUNNING >= ONCE
    assert [states[name]["ExitCode"] for name in states.keys() - RUNNING] == [0] * (
        len(states) - len(RUNNING)
    )


def test_a_token_is_accepted_until_it_is_revoked(deployment: Composed) -> None:
    token, other = mint(deployment, "alice"), mint(deployment, "alice")
    becomes(deployment, token, 200)

    deployment.exec("issuer", "sh", "-c", f"echo {token} | revocast revoke token -f - --yes")

    becomes(deployment, token, 401)
    assert status(deployment, other) == 200


def test_another_start_keeps_the_authority_the_secrets_and_what_is_revoked(deployment: Composed) -> None:
    token, other = mint(deployment, "bob"), mint(deployment, "carol")
    deployment.revocast("block", "subject", "bob", "--reason", "fraud case 1042")
    becomes(deployment, token, 401)
    before = _identity(deployment)

    deployment.up()
    assert _identity(deployment) == before
    deployment.down()
    deployment.up()

    assert _identity(deployment) == before
    assert status(deployment, token) == 401
    assert status(deployment, other) == 200


def test_only_this_host_can_reach_it(containers: dict[str, Any]) -> None:
    bindings = [
        binding
        for found in containers.values()
        for published in found["NetworkSettings"]["Ports"].values()
        for binding in published or ()
    ]

    assert {binding["HostIp"] for binding in bindings} == {"127.0.0.1"}
    assert len(bindings) == 3  # issuer, streams, orders: neither Kafka nor PostgreSQL


def test_nothing_runs_with_more_rights_than_it_needs(containers: dict[str, Any]) -> None:
    for name, found in containers.items():
        host = found["HostConfig"]
        assert host["CapDrop"] == ["ALL"], name
        added = [right.removeprefix("CAP_") for right in host["CapAdd"] or ()]
        assert added == (["CHOWN"] if name == "secrets" else []), name
        assert host["SecurityOpt"] == ["no-new-privileges:true"], name
        assert host["ReadonlyRootfs"] == (name != "kafka"), name
        assert not host["Privileged"] and not host["PidMode"] and host["IpcMode"] in ("private", ""), name


@pytest.mark.parametrize("service", sorted(RUNNING))
def test_nothing_runs_as_root(deployment: Composed, service: str) -> None:
    assert deployment.exec(service, "id", "-u").strip() != "0"


@pytest.mark.parametrize("service", ["issuer", "streams", "orders"])
def test_the_images_hold_no_compiler_and_no_key(deployment: Composed, service: str) -> None:
    tools = "for tool in cc gcc c++ make ld; do command -v $tool; done; true"
    keys = "find / -xdev -path /proc -prune -o '(' -name '*.key' -o -name '*.pem' ')' -print | xargs -r grep -l PRIVATE; true"

    assert deployment.exec(service, "sh", "-c", tools) == ""
    assert deployment.exec(service, "sh", "-c", keys) == ""


def test_no_secret_is_in_a_file_of_ours_an_environment_an_image_or_a_log(
    deployment: Composed, containers: dict[str, Any], docker_engine: docker.DockerClient
) -> None:
    operator = json.loads(deployment.exec("issuer", "cat", "/var/lib/revocast/operator.json"))
    found = {
        deployment.exec("postgres", "cat", "/secrets/password"),
        deployment.exec("issuer", "cat", "/var/lib/revocast/master.key"),
        operator["client_secret"],
    }
    if "grants" in containers:
        found |= {
            deployment.exec(name, "cat", "/secrets/kafka-password")
            for name in ("issuer", "streams", "orders")
        }
    history = [docker_engine.images.get(each["Image"]).history() for each in containers.values()]
    shown = (
        deployment.run("config") + deployment.run("logs") + json.dumps([list(containers.values()), history])
    )

    assert all(len(secret.strip()) > 30 for secret in found)
    assert not [secret for secret in found if secret.strip() in shown]


def test_each_container_sees_its_own_secrets(deployment: Composed, containers: dict[str, Any]) -> None:
    hardened = "grants" in containers
    own = {"ca.pem", "kafka-password"} if hardened else set()
    tls = {"tls.crt", "tls.key"} if hardened else set()

    assert _secrets(deployment, "postgres") == {"password"}
    assert _secrets(deployment, "issuer") == {"database-url"} | own | tls
    if hardened:
        assert _secrets(deployment, "streams") == own | tls
        assert _secrets(deployment, "orders") == own
    assert not [
        mount
        for mount in containers["orders"]["Mounts"]
        if "home" in mount["Name"] or "issuer" in mount["Name"]
    ]


def test_down_leaves_nothing(tag: str, docker_engine: docker.DockerClient) -> None:
    composed = Composed(HARDENED, tag)
    try:
        composed.run("up", "--detach", "--no-build", "postgres")
        assert _left(composed, docker_engine)
    finally:
        composed.down("--volumes")

    assert not _left(composed, docker_engine)


def _identity(deployment: Composed) -> list[str]:
    """What must not change: the root, the master key, the database's password."""
    files = ("/var/lib/revocast/operator.json", "/var/lib/revocast/master.key", "/secrets/database-url")
    return [deployment.exec("issuer", "cat", file) for file in files]


def _secrets(deployment: Composed, service: str) -> set[str]:
    return set(deployment.exec(service, "ls", "/secrets").split())


def _its_own(deployment: Composed) -> dict[str, str]:
    return {"label": f"com.docker.compose.project={deployment.project}"}


def _left(deployment: Composed, engine: docker.DockerClient) -> list[Any]:
    own = _its_own(deployment)
    return [
        *engine.containers.list(all=True, filters=own),
        *engine.networks.list(filters=own),
        *engine.volumes.list(filters=own),
    ]
