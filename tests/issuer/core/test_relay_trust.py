"""The relay when the root decides: event keys change hands, an epoch is opened, a list appears on the topic."""

import asyncio
import time
from collections.abc import AsyncIterator
from threading import Event

import pytest

from revocast.issuer.authority.event_keys import EventKeyState
from revocast.issuer.authority.lifecycle import KeyState
from revocast.issuer.authority.revocations import Revocation
from revocast.issuer.reissuing import Reissue
from revocast.issuer.relay import Relay
from revocast.issuer.storage.signing_keys import event_keys
from revocast.issuer.storage.tables import LogRecord
from revocast.schemas.audit import AuditType
from revocast.schemas.delegations import Delegate, Role
from revocast.schemas.events import Envelope
from revocast.schemas.jose import PrivateKey
from revocast.schemas.keyset import KeySet
from revocast.schemas.record import Position
from revocast.schemas.row import Row, Slot
from revocast.schemas.selector import Selector
from revocast.schemas.settings import KafkaSettings
from revocast.schemas.topics import Topics
from revocast.schemas.verdict import Outcome
from revocast.sdk import Guard, TokenRevoked
from revocast.sdk.clock import Instant
from tests.issuer.core.authority import ISSUER, ORDERS, Authority, T
from tests.issuer.core.reader import Reader, read, read_audit, until, write
from tests.issuer.core.root_holder import DAYS, RootHolder


@pytest.fixture
def database() -> None:
    """These are about Kafka: SQLite is enough."""


class World:
    """An authority, the holder of its root, its topics, and a relay that a test starts and stops."""

    def __init__(self, authority: Authority, settings: KafkaSettings) -> None:
        self.authority = authority
        self.service = authority.service
        self.holder = RootHolder(authority)
        self.settings = settings
        self.topics = settings.topics
        self.pin = authority.terms.root
        self.relay: Relay | None = None

    async def start(self) -> None:
        self.relay = self.authority.relay(self.settings)
        await self.relay.start()

    async def stop(self) -> None:
        if self.relay is not None:
            await self.relay.stop()
            self.relay = None

    async def publishing(self) -> None:
        await until(lambda: self.authority.publication.relay.state == "publishing", "it publishes")

    async def refusing(self) -> str:
        await until(lambda: self.authority.publication.relay.state == "refusing", "it refuses")
        return self.authority.publication.relay.problem or ""

    async def in_force(self, version: int) -> None:
        await until(lambda: self.service.trust().version == version, f"list {version} is in force")

    async def everything_is_published(self) -> None:
        status = self.service.status
        await until(lambda: status().published_n == status().n, "everything is published")

    async def bring(self, compact: bytes) -> None:
        """What anyone may do with a list that the root signed."""
        await write(self.settings.kafka, self.topics.keys, (b"delegations", compact))

    async def reader(self) -> Reader:
        return await Reader.of(self.settings.kafka, self.topics, ISSUER, self.pin, self.authority.clock())

    async def everyone_agrees(self) -> Reader:
        """A reader that pinned the first root and reads everything has the issuer's bytes."""
        await self.everything_is_published()
        seen, status = await self.reader(), self.service.status()
        assert seen.chain.flaws == () and seen.chain.position is not None
        assert (seen.chain.position.epoch, seen.n) == (status.epoch, status.n)
        assert seen.table.pack() == status.table
        return seen


@pytest.fixture
async def world(
    authority: Authority, kafka: str, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    """The world of one test. A relay that refuses looks again sooner than usual."""
    monkeypatch.setattr("revocast.issuer.relay.relay._REFUSE_EVERY_S", 0.5)
    world = World(authority, KafkaSettings(kafka=kafka, prefix=topics.prefix))
    yield world
    await world.stop()


def private_half(world: World, kid: str) -> PrivateKey:
    """What a thief has."""
    with world.authority.storage.read() as session:
        (key,) = (key for key in event_keys(session) if key.kid == kid)
        signer = world.authority.keystore.signer(kid, key.handle)
    assert isinstance(signer, PrivateKey)
    return signer


def block_many(world: World, count: int) -> None:
    """In records of 1,000 rows."""
    for start in range(0, count, 1000):
        world.authority.revoke(
            *(
                Revocation(Selector.session(ISSUER, f"s-{number}"), Slot.BLOCK)
                for number in range(start, min(start + 1000, count))
            )
        )


async def test_an_event_key_changes_hands_while_revocations_run_and_none_is_lost(world: World) -> None:
    await world.start()
    old = world.holder.active
    ended = asyncio.Event()

    async def revoke(number: int) -> int:
        count = 0
        while not ended.is_set():
            revocation = Revocation(Selector.subject(ISSUER, f"{number}-{count}"), Slot.BLOCK)
            receipt = await asyncio.to_thread(world.service.revoke, [revocation], [], actor="bob", reason="")
            assert await world.service.published(receipt, 30) == "published"
            count += 1
        return count

    writers = [asyncio.create_task(revoke(number)) for number in range(4)]
    await until(lambda: world.service.status().published_n > 20, "they write")
    new = await asyncio.to_thread(world.holder.delegate)
    switched = world.holder.last(old)
    await until(lambda: world.service.status().published_n > switched.n + 20, "they write on")
    assert world.holder.last(old) == switched, "the old key signs nothing more"
    await asyncio.to_thread(world.holder.retire, old)
    retired = world.service.status().n
    await until(lambda: world.service.status().published_n > retired + 20, "and on")
    ended.set()
    count = sum(await asyncio.gather(*writers))
    seen = await world.everyone_agrees()
    assert set(seen.outcomes) == {Outcome.APPLIED} and len(seen.table) == count
    records = [
        Envelope.parse(record.value) for record in await read(world.settings.kafka, world.topics.revocations)
    ]
    assert [record.kid for record in records] == [old] * switched.n + [new] * (len(records) - switched.n)
    delegate = world.holder.in_force.listed.delegate(old, Role.EVENT)
    assert delegate is not None and delegate.bound == switched, "the bound is exact"


async def test_after_a_compromise_services_enforce_the_old_table_until_the_new_one_is_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on, step = Event(), Reissue.step
    monkeypatch.setattr(Reissue, "step", lambda self: may_go_on.is_set() and step(self))
    await world.start()
    client = world.authority.client()
    tokens = {sub: world.service.mint(client, ORDERS, subject=sub).token for sub in ("alice", "bob", "carol")}
    block_many(world, 1500)
    bob = world.authority.block("subject", "bob")
    assert await world.service.published(bob, 30) == "published"
    guard = Guard(
        issuer=ISSUER,
        audience=ORDERS,
        kafka=world.settings.kafka,
        prefix=world.settings.prefix,
        root=world.pin,
        policy="allow",
        clock=lambda: Instant(world.authority.clock(), time.monotonic()),
    )
    async with guard:
        old_table = guard.table()
        stolen = world.holder.active
        adopted = await asyncio.to_thread(world.holder.adopt, world.holder.compromised(stolen))
        carol = world.authority.block("subject", "carol")
        assert (carol.epoch, world.service.trust().reissuing) == (2, True)
        await until(lambda: guard.health().state == "incomplete", "the guard knows of the epoch")
        await world.everything_is_published()
        assert await world.service.published(carol, 0.2) == "pending", "no service enforces it yet"
        assert await world.service.published(adopted.receipt, 0) == "pending"
        assert guard.table() == old_table
        await lift_with(world, stolen, "bob")
        assert guard.verify(tokens["alice"])["sub"] == "alice"
        with pytest.raises(TokenRevoked):
            guard.verify(tokens["bob"])
        may_go_on.set()
        assert await world.service.published(carol, 30) == "published"
        assert await world.service.published(bob, 0) == "published"
        await until(lambda: guard.health().state == "ready", "the guard is whole again")
        position, table = guard.table()
        assert position is not None and position.epoch == 2
        assert table == world.service.status().table != old_table[1]
        for sub in ("bob", "carol"):
            with pytest.raises(TokenRevoked):
                guard.verify(tokens[sub])
        assert guard.verify(tokens["alice"])["sub"] == "alice"
    await world.everyone_agrees()
    await until(lambda: world.service.status().audit_backlog == 0, "all is audited")
    types = {event.type for event in await read_audit(world.settings.kafka, world.topics)}
    assert {AuditType.DELEGATIONS_CHANGED, AuditType.EPOCH_OPENED, AuditType.LIVE_SET_REISSUED} <= types


async def lift_with(world: World, kid: str, sub: str) -> None:
    """A thief of the event key goes on with the old epoch, and announces what no issuer did."""
    key, head = private_half(world, kid), world.service.status()
    with world.authority.storage.read() as session:
        last = session.get(LogRecord, (1, world.holder.last(kid).n))
        assert last is not None
        position = Position(1, last.n, last.hash, last.t)
    selector = Selector.subject(ISSUER, sub)
    row = Row.for_lift(*world.authority.terms.name(selector), Slot.BLOCK)
    record = position.next_record([row], T, delegations=1, key_set=1)
    own = KeySet.from_event(Envelope.parse(world.service.key_set()).event())
    forged = own.model_copy(update={"delegations": 1, "version": 99})
    await write(world.settings.kafka, world.topics.revocations, (record.key, record.signed(ISSUER, key)))
    await write(world.settings.kafka, world.topics.keys, (forged.key, forged.signed(ISSUER, key)))
    assert world.service.status().n >= head.n


async def test_a_re_issue_that_one_process_began_the_next_one_completes(world: World) -> None:
    block_many(world, 2500)
    await world.start()
    await world.everything_is_published()
    await world.stop()
    world.authority.block("subject", "bob")
    unpublished = world.service.status().n
    world.holder.adopt(world.holder.compromised(world.holder.active))
    assert world.service.trust().reissuing
    assert "live set is not re-issued" in world.service.warnings()[0]
    await world.start()
    await until(lambda: not world.service.trust().reissuing, "the live set is whole")
    seen = await world.everyone_agrees()
    assert len(seen.table) == 2501
    keys = [record.key for record in await read(world.settings.kafka, world.topics.revocations)]
    assert keys.count(str(unpublished).encode()) == 0, (
        "what Kafka did not have of the old epoch, it never gets"
    )


async def test_a_thief_who_wrote_first_stops_publishing_and_the_new_epoch_goes_on_without_him(
    world: World,
) -> None:
    await world.start()
    await world.everything_is_published()
    stolen = world.holder.active
    bob = world.authority.block("subject", "bob")
    assert await world.service.published(bob, 30) == "published"
    await lift_with(world, stolen, "bob")
    assert "ahead of the database" in await world.refusing()
    carol = world.authority.block("subject", "carol")
    assert await world.service.published(carol, 0.2) == "pending"
    world.holder.adopt(world.holder.compromised(stolen))
    assert await world.service.published(carol, 30) == "published"
    assert len((await world.everyone_agrees()).table) == 2


# -- lists on the topic ----------------------------------------------------------------------------------------------


async def test_break_glass_that_was_published_while_the_issuer_was_down_is_adopted_at_its_start(
    world: World,
) -> None:
    await world.start()
    await world.everything_is_published()
    await world.stop()
    (key,) = world.service.keys()
    world.authority.clock.now += 1
    listed = world.holder.in_force.distrusting([key.kid], T, DAYS, issuer=False)
    await world.bring(world.holder.signed(listed))
    await world.start()
    await world.in_force(2)
    assert world.service.keys()[-1].state is KeyState.REVOKED
    seen = await world.everyone_agrees()
    assert seen.trust.versions[0] == 2 and len(seen.table) == 1
    on_topic = [record.value for record in await read(world.settings.kafka, world.topics.keys)]
    assert on_topic.count(world.service.delegations()) == 1, "it is not published twice"


async def test_a_list_that_appears_on_the_topic_is_adopted_while_publishing(world: World) -> None:
    await world.start()
    await world.everything_is_published()
    stolen = world.holder.active
    await world.bring(world.holder.signed(world.holder.compromised(stolen)))
    await world.in_force(2)
    assert world.holder.state(stolen) == "compromised" and world.service.status().epoch == 2
    await lift_with(world, stolen, "bob")
    assert await world.service.published(world.authority.block_one_more(), 30) == "published"
    await world.stop()
    await world.start()
    assert await world.service.published(world.authority.block_one_more(), 30) == "published"
    await world.everyone_agrees()


async def test_a_list_without_a_key_of_ours_stops_publishing_loudly_until_a_better_one_is_signed(
    world: World,
) -> None:
    await world.start()
    await world.everything_is_published()
    stranger = Delegate(jwk=dict(PrivateKey.generate().public.jwk), role=Role.EVENT)
    useless = world.holder.in_force.new_epoch(T, DAYS).model_copy(update={"keys": (stranger,)})
    await world.bring(world.holder.signed(useless))
    problem = await world.refusing()
    assert "holds delegation list 2" in problem and "delegates no event key" in problem
    assert any(problem in warning for warning in world.service.warnings())
    receipt = world.authority.block_one_more()
    assert await world.service.published(receipt, 0.2) == "pending"
    await until(lambda: world.service.status().audit_backlog == 0, "the refusal is audited")
    events = await read_audit(world.settings.kafka, world.topics)
    assert any(
        event.type is AuditType.PUBLISHING_REFUSED and event.data["problem"] == problem for event in events
    )
    jwk, role = world.holder.new_key()
    opened_by = Envelope.parse(world.holder.signed(useless)).hash
    better = useless.model_copy(
        update={"version": 3, "opened_by": opened_by, "keys": (stranger, Delegate(jwk=dict(jwk), role=role))}
    )
    assert world.holder.adopt(better).active == jwk["kid"]
    assert await world.service.published(receipt, 30) == "published"
    await world.everyone_agrees()


async def test_of_two_lists_with_one_version_the_topics_is_the_one_that_readers_believe(world: World) -> None:
    await world.start()
    await world.everything_is_published()
    await world.stop()
    on_topic = world.holder.in_force.renewed(T, 30)
    await world.bring(world.holder.signed(on_topic))
    world.holder.adopt(world.holder.in_force.renewed(T, 40))
    await world.start()
    assert "a second list of the version in force" in await world.refusing()
    world.holder.adopt(on_topic.model_copy(update={"version": 3}))
    assert await world.service.published(world.authority.block_one_more(), 30) == "published"
    assert (await world.everyone_agrees()).trust.versions[0] == 3


async def test_a_new_root_takes_over_while_publishing_and_the_old_one_is_believed_no_more(
    world: World,
) -> None:
    await world.start()
    await world.everything_is_published()
    successor, old = PrivateKey.generate(), world.holder.root
    roots = world.holder.in_force.listed.roots.handed_over(old, successor.public, ISSUER)
    listed = world.holder.in_force.rooted(roots, T, DAYS)
    await world.bring(listed.signed(ISSUER, successor))
    await world.in_force(2)
    assert world.service.trust().root == successor.kid
    stale = world.holder.in_force.renewed(T)
    await world.bring(stale.signed(ISSUER, old))
    world.holder.root = successor
    world.holder.delegate()
    assert await world.service.published(world.authority.block_one_more(), 30) == "published"
    await world.stop()
    await world.start()
    assert await world.service.published(world.authority.block_one_more(), 30) == "published"
    assert (await world.everyone_agrees()).trust.versions[0] == 3


async def test_a_relay_whose_event_key_no_list_delegates_says_what_to_do(world: World) -> None:
    jwk, _ = world.holder.new_key()
    with world.authority.storage.write() as session:
        for key in event_keys(session):
            key.state = EventKeyState.ACTIVE if key.kid == jwk["kid"] else EventKeyState.RETIRED
    await world.start()
    problem = await world.refusing()
    assert f"does not delegate to {jwk['kid']}" in problem and "revocast trust delegate" in problem
