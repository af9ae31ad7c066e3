"""Broker, issuer, streams and three services, each its own process: what must hold when they meet, and when they die."""

import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from revocast.cli.operator import Operator
from revocast.cli.settings import operator_settings
from revocast.dev.broker import Broker, running_broker
from revocast.dev.demo.deployment import AUDIENCE, SERVICES, Deployment
from revocast.dev.demo.processes import Processes
from revocast.dev.demo.report import Report
from revocast.dev.demo.stage import Stage
from revocast.issuer.bootstrap import Home
from revocast.issuer.keystore import SealedKeys
from revocast.issuer.storage import Storage
from revocast.issuer.storage.log import head_of, log_after
from revocast.issuer.storage.publishing import event_signer
from revocast.schemas.checkpoint import Checkpoint
from revocast.schemas.events import Envelope, Event, EventBody, assemble
from revocast.schemas.jose import PrivateKey
from revocast.schemas.keyset import KeySet
from revocast.schemas.record import Record
from revocast.schemas.row import NEVER, Row
from revocast.schemas.rows import Rows
from revocast.schemas.topics import Topics
from revocast.sdk import Guard, TokenRevoked

pytestmark = pytest.mark.timeout(300)

_WAIT_S = 30.0
T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """Everything that runs."""

    broker: Broker
    deployment: Deployment
    stage: Stage

    @property
    def topics(self) -> Topics:
        return self.deployment.topics

    def guard(self) -> Guard:
        """A fourth service, in this process."""
        deployment = self.deployment
        return Guard(
            deployment.issuer_url,
            AUDIENCE,
            deployment.kafka,
            deployment.root,
            prefix=deployment.prefix,
            startup_timeout=_WAIT_S,
        )

    async def statuses(self, token: str) -> set[int]:
        """What the three services answer."""
        return set(self.stage.ask(token).values())

    def issuer_table(self) -> tuple[int, bytes]:
        """The issuer's n and packed table."""
        operator = self.stage.operator
        token = operator._fetch_token("revocast:read")
        answer = httpx.get(
            f"{self.deployment.issuer_url}/v1/table", headers={"Authorization": f"Bearer {token}"}
        )
        answer.raise_for_status()
        return int(answer.headers["Revocast-N"]), answer.content

    async def streams_table(self) -> tuple[int, bytes]:
        """Streams' n and packed table."""
        async with httpx.AsyncClient(timeout=_WAIT_S) as client:
            answer = await client.get(f"{self.deployment.streams_url}/v1/table")
        answer.raise_for_status()
        place = next(value for name, value in answer.headers.items() if value.count("/") == 3)
        return int(place.split("/")[1]), answer.content

    async def relay_state(self) -> str:
        """What the issuer's relay does."""
        return str(self.stage.operator.get("/v1/status", "revocast:read")["relay"]["state"])

    def streams_outcomes(self) -> dict[str, dict[str, int]]:
        """Records by topic and outcome, as streams has counted them."""
        return dict(httpx.get(f"{self.deployment.streams_url}/v1/status").json()["outcomes"])


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """One for the module: its processes take longer to start than all of the tests."""
    folder = Path(tempfile.mkdtemp())
    with running_broker(own=True) as broker, closing(Processes(folder)) as processes:
        deployment = Deployment(broker, processes, folder, "whole")
        deployment.init()
        deployment.run("topics", "ensure")
        deployment.start_issuer()
        deployment.start_readers()
        with Operator(operator_settings(deployment.environ)) as operator:
            stage = Stage(deployment, operator, Report(SERVICES), 1)
            stage.register()
            yield World(broker, deployment, stage)


async def eventually(what: str, look: Callable[[], Awaitable[T]], until: Callable[[T], object]) -> T:
    """Look until it is so; fail after half a minute, naming what was awaited."""
    deadline = time.monotonic() + _WAIT_S
    while not until(value := await look()):
        assert time.monotonic() < deadline, f"{what}: still {value!r}"
        await asyncio.sleep(0.05)
    return value


async def test_issuer_streams_and_guard_hold_the_same_bytes_at_the_same_n(world: World) -> None:
    stage = world.stage
    async with world.guard() as guard:
        for number in range(20):
            stage.revoke("subject", f"user-{number}", "cutoff")
            stage.revoke("session", f"session-{number}", "block")
        stage.lift("session", "session-3", "block")
        n, issuer = world.issuer_table()
        assert len(issuer) == 39 * 20
        for reader in (guard_table(guard), world.streams_table):
            await eventually("a reader", reader, lambda found: found == (n, issuer))


def guard_table(guard: Guard) -> Callable[[], Awaitable[tuple[int, bytes]]]:
    async def look() -> tuple[int, bytes]:
        position, table = guard.table()
        return (position.n if position else 0), table

    return look


def counter(guard: Guard, name: str) -> Callable[[], Awaitable[int]]:
    async def look() -> int:
        return guard.health().counters.get(name, 0)

    return look


def readiness(guard: Guard) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return guard.health().ready

    return look


async def test_forged_replayed_and_misnumbered_records_change_nothing_on_any_control_topic(
    world: World,
) -> None:
    stage, topics = world.stage, world.topics
    token = stage.sign_in("mallory")
    stage.revoke("subject", "mallory", "block")
    stage.lift("subject", "mallory", "block")
    stage.revoke("subject", "mallory", "block")
    async with world.guard() as guard:
        n, table = world.issuer_table()
        await eventually("the guard", guard_table(guard), lambda found: found == (n, table))
        versions = (guard.health().delegations, guard.health().key_set)
        before = guard.health().counters
        hostile = await hostile_records(world)
        await publish(world, hostile)
        rejected = {
            f"{topic}/0/{offset}" for topic, offsets in hostile_offsets(hostile).items() for offset in offsets
        }
        letters = await eventually(
            "dead letters", lambda: dead_letters(world), lambda found: rejected <= found.keys()
        )
        assert all(letters[place] for place in rejected), "every dead letter says why"
        audited = await eventually("audit", lambda: rejections(world), lambda found: rejected <= found)
        assert rejected <= audited
        # The log goes on behind all that, and everybody with it.
        stage.revoke("subject", "nobody", "block")
        n, table = world.issuer_table()
        for reader in (guard_table(guard), world.streams_table):
            await eventually("a reader", reader, lambda found: found == (n, table))
        health = guard.health()
        assert health.ready
        assert (health.delegations, health.key_set) == versions
        for topic in ("log", "keys", "checkpoints"):
            assert health.counters[f"{topic}.replay"] > before.get(f"{topic}.replay", 0), topic
            assert health.counters[f"{topic}.rejected"] > before.get(f"{topic}.rejected", 0), topic
        outcomes = world.streams_outcomes()
        assert all(outcomes[name]["replay"] for name in (topics.revocations, topics.keys, topics.checkpoints))
        assert await world.statuses(token) == {401}
    async with world.guard() as late:
        assert late.table()[1] == table
        assert (late.health().delegations, late.health().key_set) == versions
        with pytest.raises(TokenRevoked):
            late.verify(token)


@dataclass
class Hostile:
    """What is written to a topic: forgeries, which must become dead letters, and replays, which are only counted."""

    topic: str
    forged: list[bytes]
    replayed: list[bytes]
    offsets: list[int]


async def hostile_records(world: World) -> list[Hostile]:
    topics, issuer = world.topics, world.deployment.issuer_url
    log, keys, checkpoints = [
        await values(world, topic) for topic in (topics.revocations, topics.keys, topics.checkpoints)
    ]
    record = Record.from_event(event(log[-1]))
    key_set = KeySet.from_event(event(keys[-1]))
    checkpoint = Checkpoint.from_event(event(checkpoints[-1]))
    row = Row.for_block(bytes(11), 4, NEVER)
    bodies: list[tuple[str, list[EventBody], bytes]] = [
        (
            topics.revocations,
            [
                record.model_copy(update={"n": record.n + 1, "rows": Rows.of([row])}),
                record.model_copy(update={"n": record.n + 1_000_000}),
            ],
            log[-2],  # the old lift
        ),
        (
            topics.keys,
            [
                key_set.model_copy(update={"version": key_set.version + 1, "leeway": 300}),
                key_set.model_copy(update={"version": key_set.version + 1_000_000}),
            ],
            keys[0],
        ),
        (
            topics.checkpoints,
            [checkpoint.model_copy(update={"n": checkpoint.n + 1_000_000})],
            checkpoints[0],
        ),
    ]
    kid = Envelope.parse(log[-1]).kid
    return [
        Hostile(
            topic,
            [forged(body, issuer, kid) for body in forgeries]
            + [stranger(body, issuer) for body in forgeries],
            [old],
            [],
        )
        for topic, forgeries, old in bodies
    ]


def forged(body: EventBody, issuer: str, kid: str) -> bytes:
    """Under the issuer's kid, signed by another key."""
    signing_input = body.signing_input(issuer, kid, "EdDSA")
    return assemble(signing_input, PrivateKey.generate().sign(signing_input))


def stranger(body: EventBody, issuer: str) -> bytes:
    """Well signed, by a key that nobody delegated."""
    return body.signed(issuer, PrivateKey.generate())


def event(value: bytes) -> Event:
    return Envelope.parse(value).event()


async def publish(world: World, hostile: list[Hostile]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=world.broker.bootstrap, acks="all") as producer:
        for each in hostile:
            for value in each.forged:
                written = await producer.send_and_wait(each.topic, value, key=b"1", partition=0)
                each.offsets.append(written.offset)
            for value in each.replayed:
                await producer.send_and_wait(each.topic, value, key=b"1", partition=0)


def hostile_offsets(hostile: list[Hostile]) -> dict[str, list[int]]:
    return {each.topic: each.offsets for each in hostile}


async def values(world: World, topic: str) -> list[bytes]:
    return [record.value for record in await records(world, topic)]


async def records(world: World, topic: str) -> list[Any]:
    """Everything on a topic."""
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=world.broker.bootstrap, auto_offset_reset="earliest"
    ) as consumer:
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(consumer.assignment())
        found: list[Any] = []
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                found += batch
        return found


async def dead_letters(world: World) -> dict[str, str]:
    """By place, the reason."""
    found = {}
    for record in await records(world, world.topics.dead_letters):
        headers = {name: value.decode() for name, value in record.headers}
        found[f"{headers['topic']}/{headers['partition']}/{headers['offset']}"] = headers["reason"]
    return found


async def rejections(world: World) -> set[str]:
    """The places that audit names."""
    events = [json.loads(value) for value in await values(world, world.topics.audit)]
    return {event["subject"] for event in events if event["type"] == "revocast.record.rejected"}


async def test_pending_survives_kill_9_and_services_start_and_refuse_without_the_issuer(world: World) -> None:
    stage, deployment = world.stage, world.deployment
    token, good = stage.sign_in("victim"), stage.sign_in("somebody")
    assert await world.statuses(token) == {200}
    world.broker.stop(0)
    answer = stage.revoke("subject", "victim", "block")
    assert answer["status"] == "pending"
    deployment.kill_issuer()
    deployment.start_issuer()
    world.broker.start(0)
    await eventually("refused everywhere", lambda: world.statuses(token), lambda found: found == {401})
    assert await world.statuses(good) == {200}
    deployment.kill_issuer()
    deployment.restart_services()
    assert await world.statuses(token) == {401}
    assert await world.statuses(good) == {200}


async def test_a_fork_that_the_event_key_signed_is_ignored_and_the_issuer_refuses_to_publish(
    world: World,
) -> None:
    # The last test: the issuer publishes no more until `recover`, as it must.
    world.deployment.start_issuer()
    await eventually("the relay", world.relay_state, lambda state: state == "publishing")
    value = second_record_of_the_newest_number(world)
    async with world.guard() as guard:
        n, table = world.issuer_table()
        await eventually("the guard", guard_table(guard), lambda found: found == (n, table))
        async with AIOKafkaProducer(bootstrap_servers=world.broker.bootstrap, acks="all") as producer:
            await producer.send_and_wait(world.topics.revocations, value, partition=0)
        await eventually("a fork", counter(guard, "log.fork"), bool)
        assert guard.table()[1] == table
        # The issuer's next checkpoint says which history is right.
        await eventually("ready again", readiness(guard), bool)
        assert world.stage.revoke("subject", "somebody else", "block")["status"] == "pending"
        assert await world.relay_state() == "refusing"
        assert guard.table()[1] == table


def second_record_of_the_newest_number(world: World) -> bytes:
    home, issuer = Home(world.deployment.home), world.deployment.issuer_url
    storage = Storage(home.database_url)
    with storage.read() as session:
        head = head_of(session)
        newest = log_after(session, head.epoch, head.n - 1, 1)[0].compact
        signer = event_signer(session, SealedKeys.from_file(home.master_key))
    storage.close()
    assert newest is not None
    other = Record.from_event(event(newest)).model_copy(
        update={"rows": Rows.of([Row.for_block(bytes(11), 4, NEVER)])}
    )
    signing_input = other.signing_input(issuer, signer.kid, signer.alg)
    return assemble(signing_input, signer.sign(signing_input))
