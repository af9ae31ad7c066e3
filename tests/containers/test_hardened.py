"""What the hardened deployment refuses."""

import ssl

import httpx
import pytest

from tests.containers.composed import Composed, ComposeError

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1800)]

WRITE = """
import asyncio, sys
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from revocast.schemas.settings import KafkaSettings

async def main():
    async with AIOKafkaProducer(**KafkaSettings.from_env().client_options()) as producer:
        for topic in sys.argv[1:]:
            try:
                await producer.send_and_wait(topic, b"forged", key=b"forged")
                print(topic, "written")
            except KafkaError as error:
                print(topic, type(error).__name__)

asyncio.run(main())
"""


def test_the_sample_service_writes_fleet_reports_and_nothing_else(hardened: Composed) -> None:
    topics = ("revocations", "keys", "checkpoints", "snapshots", "audit", "dead-letters", "fleet")

    said = hardened.exec("orders", "python", "-c", WRITE, *(f"revocast.{topic}" for topic in topics))

    answers = dict(line.split() for line in said.splitlines())
    assert answers.pop("revocast.fleet") == "written"
    assert set(answers.values()) == {"TopicAuthorizationFailedError"} and len(answers) == 6


def test_nobody_has_more_rights_than_a_role_has(hardened: Composed) -> None:
    principals = ("--issuer", "User:issuer", "--streams", "User:streams", "--service", "User:orders")

    said = hardened.run(
        "run", "--rm", "operator", "topics", "acl", "--check", *principals, "--operator", "User:operator"
    )

    assert "as they must be" in said


@pytest.mark.parametrize(
    "changed",
    [
        ("SECURITY=plaintext", "CA=", "USERNAME=", "PASSWORD_FILE="),
        ("SECURITY=ssl", "USERNAME=", "PASSWORD_FILE="),
        ("USERNAME=admin",),
        ("CA=",),
    ],
    ids=["in the clear", "without a login", "with another's name", "not knowing who signed its certificate"],
)
def test_kafka_is_not_to_be_reached(hardened: Composed, changed: tuple[str, ...]) -> None:
    environment = [argument for change in changed for argument in ("--env", f"REVOCAST_KAFKA_{change}")]

    with pytest.raises(ComposeError, match="Kafka at kafka:9092"):
        hardened.run("run", "--rm", *environment, "operator", "topics", "verify")


def test_the_operator_reads_the_audit(hardened: Composed) -> None:
    said = hardened.run("run", "--rm", "operator", "--json", "audit", "tail", "-n", "1")

    assert '"specversion"' in said


@pytest.mark.parametrize("service", ["issuer", "streams"])
def test_https_is_spoken_and_nothing_else(hardened: Composed, service: str) -> None:
    where = f"127.0.0.1:{hardened.issuer_port if service == 'issuer' else hardened.streams_port}"
    ours = ssl.create_default_context(cadata=hardened.exec(service, "cat", "/secrets/ca.pem"))

    assert httpx.get(f"https://{where}/readyz", verify=ours).status_code == 200
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"https://{where}/readyz")
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"http://{where}/readyz")
