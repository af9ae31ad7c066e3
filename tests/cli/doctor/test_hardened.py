"""On a Kafka with the hardened profile: who is not let in, and who may do too little or too much."""

import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from revocast.dev.broker import JvmBroker, certificates
from revocast.testing import Authority
from tests.cli.doctor.deployment import Deployment, doctor, living, service, settings_of
from tests.hardened import PRINCIPALS, as_admin
from tests.sdk.stage import Stage

pytestmark = pytest.mark.timeout(90)

PREFIX = "doctor"


@pytest.fixture(scope="module")
def granted(hardened: JvmBroker) -> JvmBroker:
    """Topics and rights are there."""
    for command in (["ensure"], ["acl", *PRINCIPALS]):
        done = as_admin(hardened, PREFIX)("topics", *command)
        assert done.code == 0, done.err
    return hardened


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority(now=int(time.time()))


@pytest.fixture
async def deployment(granted: JvmBroker, authority: Authority, tmp_path: Path) -> AsyncIterator[Deployment]:
    hardening = granted.hardening
    environ = service(authority, hardening.by_password("service", granted.bootstrap), PREFIX, tmp_path)
    options = settings_of(hardening.by_password("admin", granted.bootstrap)).client_options()
    found = Deployment(authority, environ)
    async with AIOKafkaProducer(**options, acks="all", enable_idempotence=True) as producer:
        staged = Stage(authority, settings_of(environ).topics, producer)
        await staged.publish()
        async with living(found, staged):
            yield found


def secrets_of(environ: Mapping[str, str]) -> str:
    return environ["REVOCAST_KAFKA_PASSWORD"]


async def test_a_service_with_the_least_rights_is_found_good(deployment: Deployment) -> None:
    report = await doctor(deployment.environ)
    assert report.code == 0, report.lines
    assert "logged in as service" in report.about("Kafka")
    assert "not for this principal to see" in report.about("topics")
    assert "may read what decides, and change none of it" in report.about("rights")
    assert secrets_of(deployment.environ) not in report.done.out + report.done.err


async def test_who_logs_in_wrongly_is_told_why(deployment: Deployment, tmp_path: Path) -> None:
    stranger = certificates.Authority(tmp_path / "stranger").ca
    for change, says in (
        ({"REVOCAST_KAFKA_PASSWORD": "hunter2"}, "refuses this user name and password"),
        ({"REVOCAST_KAFKA_CA": str(stranger)}, "certificate that is not to be trusted"),
        ({"REVOCAST_KAFKA_MECHANISM": "PLAIN"}, "REVOCAST_KAFKA_MECHANISM"),
    ):
        report = await doctor({**deployment.environ, **change})
        assert says in report.about("Kafka"), report.lines
        assert report.code == 2
        assert "hunter2" not in report.done.out + report.done.err


async def test_a_principal_without_rights_is_told_which_it_needs(
    deployment: Deployment, granted: JvmBroker
) -> None:
    other = granted.hardening.by_password("dashboard", granted.bootstrap)
    report = await doctor({**deployment.environ, **other}, "--timeout", "2")
    assert f"may not read {PREFIX}.revocations" in report.about("rights")
    assert "revocast topics acl --service" in report.about("rights")
    assert report.verdicts("topics") == {"fail"}
    assert report.verdicts("start") == {"fail"}


async def test_a_principal_with_too_many_rights_is_told(deployment: Deployment, granted: JvmBroker) -> None:
    issuers = granted.hardening.by_password("issuer", granted.bootstrap)
    report = await doctor({**deployment.environ, **issuers})
    assert report.verdicts("rights") == {"warn"}
    assert report.verdicts("start") == {"ok"}
