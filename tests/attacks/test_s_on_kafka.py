"""The attacks that are about Kafka, on Kafka: a running issuer, guard and streams worker, attacked one row after the other."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from revocast.dev.broker.topics import truncate
from revocast.schemas.jose import PrivateKey
from revocast.sdk import GuardStale, GuardUnavailable, StartupTimeout, State
from revocast.sdk.freshness import Topic
from tests.attacks.deployment import ISSUER, Deployment, deployed, eventually
from tests.attacks.flood import flood
from tests.attacks.forging import claims_of, signed
from tests.issuer.core.reader import read, read_audit

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

TEN_MEGABYTES = 10_000_000
MAX_DEAD_LETTER = 64 * 1024


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def deployment(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployment]:
    """One for all of them: whatever was done to it before, it goes on."""
    folder: Path = tmp_path_factory.mktemp("deployment")
    async with deployed(kafka, f"attacked-{secrets.token_hex(4)}", folder) as deployment:
        yield deployment


async def send(deployment: Deployment, topic: Topic, value: bytes | None, **more: object) -> str:
    """Write one record as anybody can; its place, as dead letters name it."""
    name = deployment.name(topic)
    sent = await deployment.others.send_and_wait(name, value, partition=0, **{"key": b"x", **more})
    return f"{name}/0/{sent.offset}"


async def letters_of(deployment: Deployment, places: set[str]) -> dict[str, tuple[bytes, dict[str, str]]]:
    """The dead letters of these places, once all are there: value and headers."""
    found: dict[str, tuple[bytes, dict[str, str]]] = {}

    async def all_told() -> bool:
        for letter in await read(deployment.kafka, deployment.topics.dead_letters):
            headers = {name: value.decode() for name, value in letter.headers}
            found[letter.key.decode()] = (letter.value, headers)
        return places <= set(found)

    await eventually("a dead letter of each", all_told, deployment.said)
    return {place: found[place] for place in places}


async def test_s01_what_is_rejected_is_dead_lettered_audited_and_without_effect(
    deployment: Deployment,
) -> None:
    stranger = PrivateKey.generate()
    renamed = PrivateKey(stranger._key, stranger.alg, kid=deployment.event_key().kid)
    sent: dict[str, bytes] = {}
    for topic, values in (await deployment.genuine()).items():
        claims = claims_of(values[-1])
        unsigned = values[-1].rpartition(b".")[0] + b"."
        for value in (signed(claims, stranger), signed(claims, renamed), unsigned):
            sent[await send(deployment, topic, value)] = value
    letters = await letters_of(deployment, set(sent))
    for place, (value, headers) in letters.items():
        assert value == sent[place]
        assert place == f"{headers['topic']}/{headers['partition']}/{headers['offset']}"
        assert headers["reason"]

    async def audited() -> bool:
        events = await read_audit(deployment.kafka, deployment.topics)
        return set(sent) <= {event.subject for event in events}

    await eventually("an audit event of each", audited, deployment.said)
    counters = deployment.guard.health().counters
    assert min(counters[f"{topic}.rejected"] for topic in Topic) >= 3
    status = (await deployment.worker.get("/v1/status")).json()
    assert min(status["outcomes"][deployment.name(topic)]["rejected"] for topic in Topic) >= 3
    await deployment.go_on("s01")


async def test_s03_everything_that_was_ever_written_again_changes_nothing(deployment: Deployment) -> None:
    before = deployment.table()
    for topic, values in (await deployment.genuine()).items():
        for value in values:
            await send(deployment, topic, value)
    assert deployment.table() == before
    await deployment.go_on("s03")


async def test_s05_a_topic_that_stands_still_is_noticed_and_the_policy_acts(deployment: Deployment) -> None:
    async with deployment.new_guard("frozen", authority_age=4.0) as guard:

        async def is_in(state: State) -> bool:
            return guard.state is state

        await deployment.relay.stop()
        try:
            await eventually("stale, though the broker answers", partial(is_in, State.STALE))
            with pytest.raises(GuardStale, match="checkpoint"):
                guard.verify("any token")
            link_age = guard.health().link_age
            assert link_age is not None
            assert link_age < guard.settings.link_age
        finally:
            deployment.relay = deployment.new_relay()
            await deployment.relay.start()
        await eventually("ready again", partial(is_in, State.READY))
    await deployment.go_on("s05")


async def test_s06_tombstones_delete_nothing(deployment: Deployment) -> None:
    keys = {topic: [r.key for r in await read(deployment.kafka, deployment.name(topic))] for topic in Topic}
    places = {
        await send(deployment, topic, None, key=key or b"x") for topic in Topic for key in set(keys[topic])
    }
    letters = await letters_of(deployment, places)
    assert {value for value, _ in letters.values()} == {b""}
    await deployment.go_on("s06")
    async with deployment.new_guard("after-tombstones") as guard:
        assert guard.table()[1] == deployment.table()[1]


async def test_s08_giants_null_keys_and_lying_headers_stop_nobody(deployment: Deployment) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=deployment.kafka)
    await admin.start()
    limit = {"max.message.bytes": str(TEN_MEGABYTES + 10_000)}
    for topic in Topic:
        await admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, deployment.name(topic), configs=limit)]
        )
    await admin.close()
    genuine = (await deployment.genuine())[Topic.LOG][-1]
    lies = [("offset", b"0"), ("reason", b"none"), ("topic", b"elsewhere"), ("", b"\xff"), ("n", b"9" * 5000)]
    places = {
        await send(deployment, Topic.LOG, b"x" * TEN_MEGABYTES, key=None),
        await send(deployment, Topic.KEYS, b"." * TEN_MEGABYTES, key=b"delegations/99"),
        await send(
            deployment, Topic.CHECKPOINTS, genuine * (TEN_MEGABYTES // len(genuine)), key=b"checkpoint"
        ),
        await send(deployment, Topic.LOG, b"\xff\xfe{}", key=None, headers=lies),
        await send(deployment, Topic.KEYS, genuine, key=b"\xff" * 1000, headers=lies),
    }
    letters = await letters_of(deployment, places)
    assert max(len(value) for value, _ in letters.values()) == MAX_DEAD_LETTER
    for place, (_, headers) in letters.items():
        assert place == f"{headers['topic']}/0/{headers['offset']}"
        assert headers["reason"] != "none"
    await deployment.go_on("s08")
    async with deployment.new_guard("after-giants") as guard:
        assert guard.table()[1] == deployment.table()[1]


async def test_s08_a_flood_of_hostile_records_stops_nobody_and_changes_no_byte(
    deployment: Deployment,
) -> None:
    await flood(deployment, 600)


async def truncated(deployment: Deployment) -> None:
    """Delete every record of the log, as somebody with too many rights can."""
    log = deployment.topics.revocations
    await truncate(log, deployment.kafka, (await read(deployment.kafka, log))[-1].offset + 1)


async def recreated(deployment: Deployment) -> None:
    """Delete the log's topic and create it again, empty."""
    specs = {spec.name: spec for spec in deployment.topics.specs(1)}
    spec = specs[deployment.topics.revocations]
    admin = AIOKafkaAdminClient(bootstrap_servers=deployment.kafka)
    await admin.start()
    await admin.delete_topics([spec.name])

    async def created() -> bool:
        wanted = [NewTopic(spec.name, 1, 1, topic_configs=dict(spec.config))]
        return not any(code for _, code, *_ in (await admin.create_topics(wanted)).topic_errors)

    await eventually("the topic is there again", created)
    await admin.close()


@pytest.mark.parametrize("lose", [truncated, recreated])
async def test_s07_a_log_that_lost_everything_is_published_again_and_nobody_forgets(
    deployment: Deployment, lose: Callable[[Deployment], Awaitable[None]]
) -> None:
    head, table = deployment.table()
    await lose(deployment)
    assert deployment.guard.table()[1] == table

    async def whole_again() -> bool:
        values = [record.value for record in await read(deployment.kafka, deployment.topics.revocations)]
        return len(values) >= head.n

    await eventually("the issuer publishes its stored bytes again", whole_again, deployment.said)
    await deployment.go_on(f"s07-{lose.__name__}")
    async with deployment.new_guard(f"after-{lose.__name__}", startup_timeout=30) as late:
        assert late.table()[1] == deployment.table()[1]


async def test_s14_of_two_signed_records_of_one_n_the_second_is_ignored_and_the_issuer_refuses(
    deployment: Deployment,
) -> None:
    head, table = deployment.table()
    first, second = (
        head.next_record((), head.t + later, delegations=1, key_set=1).signed(ISSUER, deployment.event_key())
        for later in (0, 1)
    )
    for value in (first, second):
        await send(deployment, Topic.LOG, value)

    async def said() -> bool:
        status = (await deployment.worker.get("/v1/status")).json()
        return deployment.guard.state is State.INCOMPLETE and "fork" in status["flaws"]

    await eventually("guard and streams say fork", said, deployment.said)
    assert "another history" in deployment.guard.health().reason
    assert deployment.guard.table()[1] == table
    deployment.block("s14")  # the issuer knows neither of the two: what it would publish now would be a third

    async def refusing() -> bool:
        return deployment.publication.relay.state == "refusing"

    await eventually("the relay refuses", refusing, deployment.said)
    assert "ahead of the database" in (deployment.publication.relay.problem or "") or "differ" in (
        deployment.publication.relay.problem or ""
    )
    values = [record.value for record in await read(deployment.kafka, deployment.topics.revocations)]
    assert values[-2:] == [first, second], "nothing was published behind it"


async def test_s07_a_log_truncated_before_a_readers_start_makes_it_never_ready(
    deployment: Deployment,
) -> None:
    before = deployment.guard.table()
    await truncated(deployment)  # and the issuer, which refuses, publishes nothing
    late = deployment.new_guard("too-late", startup_timeout=3)
    with pytest.raises(StartupTimeout, match="no record of the log has been applied"):
        await late.start()
    with pytest.raises(GuardUnavailable):
        late.verify("any token")
    assert deployment.guard.table() == before, "who had read it forgets nothing"
