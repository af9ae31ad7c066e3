"""S16: what a Kafka principal is worth to who stole it, on a broker with the hardened profile."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from confluent_kafka import TopicPartition, admin

from revocast.dev.broker import JvmBroker
from revocast.schemas.settings import KafkaSettings
from tests.hardened import PRINCIPALS, as_admin, attempt, names, readable, settings, writable

PREFIX = "stolen"
REFUSED = {"TOPIC_AUTHORIZATION_FAILED", "_NOENT"}  # who may not see a topic is told that there is none
Attempt = Callable[[admin.AdminClient, str], Mapping[Any, Any]]


def create(client: admin.AdminClient, topic: str) -> Mapping[Any, Any]:
    return client.create_topics([admin.NewTopic(topic, 12, 1)])


def delete(client: admin.AdminClient, topic: str) -> Mapping[Any, Any]:
    return client.delete_topics([topic])


def truncate(client: admin.AdminClient, topic: str) -> Mapping[Any, Any]:
    return client.delete_records([TopicPartition(topic, 0, 0)])


def widen(client: admin.AdminClient, topic: str) -> Mapping[Any, Any]:
    return client.create_partitions([admin.NewPartitions(topic, 20)])


def configure(client: admin.AdminClient, topic: str) -> Mapping[Any, Any]:
    change = admin.ConfigEntry("retention.ms", "1", incremental_operation=admin.AlterConfigOpType.SET)
    return client.incremental_alter_configs(
        [admin.ConfigResource(admin.ConfigResource.Type.TOPIC, topic, incremental_configs=[change])]
    )


def grant(client: admin.AdminClient, principal: str) -> Mapping[Any, Any]:
    everything = admin.AclBinding(
        admin.ResourceType.TOPIC,
        "*",
        admin.ResourcePatternType.LITERAL,
        principal,
        "*",
        admin.AclOperation.ALL,
        admin.AclPermissionType.ALLOW,
    )
    return client.create_acls([everything])


def set_password(client: admin.AdminClient, user: str) -> Mapping[Any, Any]:
    kind = admin.ScramCredentialInfo(admin.ScramMechanism.SCRAM_SHA_512, 4096)
    return client.alter_user_scram_credentials([admin.UserScramCredentialUpsertion(user, kind, b"mine now")])


@pytest.fixture(scope="module", autouse=True)
def rights(hardened: JvmBroker) -> Iterator[None]:
    """Topics, and the rights that `revocast topics acl` gives: as they were when the thieves are through."""
    cli = as_admin(hardened, PREFIX)
    for command in (["ensure"], ["acl", *PRINCIPALS]):
        done = cli("topics", *command)
        assert done.code == 0, done.err
    streams = settings(hardened, "streams", PREFIX)
    assert attempt(streams, create, names(streams.topics)["internal"]) == {"done"}
    everything = settings(hardened, "admin", PREFIX)
    assert asyncio.run(writable(everything)) == set(
        names(everything.topics)
    )  # something to read for everybody
    yield
    assert cli("topics", "verify").code == 0
    assert cli("topics", "acl", "--check", *PRINCIPALS).code == 0


@pytest.fixture
def stolen(hardened: JvmBroker) -> KafkaSettings:
    """A service's credentials."""
    return settings(hardened, "service", PREFIX)


WRITES = {
    "service": {"fleet"},
    "streams": {"snapshots", "audit", "dead_letters", "internal"},
    "dashboard": set[str](),
    "issuer": {"revocations", "keys", "checkpoints", "snapshots", "audit"},
    "operator": {"keys"},  # a signed list may be published by anyone who can write: break-glass
}
CONTROL = {"revocations", "keys", "checkpoints", "snapshots"}
READS = {
    "service": CONTROL,
    "streams": CONTROL | {"internal"},
    "dashboard": {"fleet", "audit", "dead_letters"},
    "issuer": CONTROL,
    "operator": CONTROL | {"fleet", "audit", "dead_letters"},
}


@pytest.mark.parametrize("role", WRITES)
async def test_s16_a_stolen_principal_writes_what_its_role_writes_and_nothing_else(
    hardened: JvmBroker, role: str
) -> None:
    assert await writable(settings(hardened, role, PREFIX)) == WRITES[role]


@pytest.mark.parametrize("role", READS)
async def test_s16_a_stolen_principal_reads_what_its_role_reads_and_nothing_else(
    hardened: JvmBroker, role: str
) -> None:
    assert await readable(settings(hardened, role, PREFIX)) == READS[role]


@pytest.mark.parametrize("act", [delete, truncate, widen, configure])
def test_s16_a_services_principal_deletes_truncates_widens_and_configures_no_topic(
    stolen: KafkaSettings, act: Attempt
) -> None:
    for topic in names(stolen.topics).values():
        assert attempt(stolen, act, topic) <= REFUSED, topic


def test_s16_a_services_principal_creates_no_topic(stolen: KafkaSettings) -> None:
    for topic in ("new", f"{PREFIX}.revocations.2", f"{PREFIX}-streams-more"):
        assert attempt(stolen, create, topic) == {"TOPIC_AUTHORIZATION_FAILED"}, topic


@pytest.mark.parametrize("role", WRITES)
def test_s16_no_principal_grants_rights_or_sets_passwords(hardened: JvmBroker, role: str) -> None:
    kafka = settings(hardened, role, PREFIX)
    assert attempt(kafka, grant, f"User:{role}") == {"CLUSTER_AUTHORIZATION_FAILED"}
    assert attempt(kafka, set_password, "admin") == {"CLUSTER_AUTHORIZATION_FAILED"}
