"""`recover` on real Kafka: a restored database takes in what was published since, and then only is anything published."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from revocast.issuer.authority.lifecycle import KeyState, TokenKey
from revocast.issuer.authority.recovered import NextStep, Recovered
from revocast.issuer.authority.revocations import Lift, Revocation, Unnamed
from revocast.issuer.errors import Conflict, NotInitialized
from revocast.issuer.recovery import recover
from revocast.issuer.relay import Relay
from revocast.issuer.trust_desk import TrustDesk
from revocast.schemas.audit import AuditType
from revocast.schemas.delegating import InForce
from revocast.schemas.delegations import Bound, Role
from revocast.schemas.jose import PrivateKey
from revocast.schemas.row import Slot
from revocast.schemas.selector import Selector
from revocast.schemas.settings import KafkaSettings
from revocast.schemas.topics import Topics
from tests.issuer.core.authority import ISSUER, ORDERS, Authority, T
from tests.issuer.core.backup import Backup
from tests.issuer.core.reader import Reader, read, read_audit, until
from tests.issuer.core.test_relay_faults import recreate


class World:
    """One authority, its topics, and the relays that the test starts on it."""

    def __init__(self, authority: Authority, settings: KafkaSettings, folder: Path) -> None:
        self.authority = authority
        self.settings = settings
        self._folder = folder
        self._relay: Relay | None = None

    async def start(self) -> None:
        self._relay = self.authority.relay(self.settings)
        await self._relay.start()

    async def stop(self) -> None:
        if self._relay is not None:
            await self._relay.stop()
            self._relay = None

    async def refuses(self) -> str:
        """Start, and wait until the relay refuses; why."""
        await self.start()
        await until(lambda: self.authority.publication.relay.state == "refusing", "it refuses")
        problem = self.problem
        await self.stop()
        return problem

    @property
    def problem(self) -> str:
        return self.authority.publication.relay.problem or ""

    def backup(self) -> Backup:
        return Backup(self.authority.url, self._folder)

    async def restore(self, backup: Backup) -> None:
        await self.stop()
        self.authority.close()
        backup.restore()
        self.authority.publication.forget()

    async def published(self, n: int | None = None) -> None:
        """Everything is on Kafka."""
        status = self.authority.service.status
        await until(lambda: status().published_n == (n or status().n), "all is published")

    async def recover(self, **options: Any) -> Recovered:
        authority = self.authority
        return await recover(
            authority.storage, authority.keystore, self.settings, clock=authority.clock, **options
        )

    async def reader(self) -> Reader:
        root = self.authority.terms.root
        return await Reader.of(
            self.settings.kafka, self.settings.topics, ISSUER, root, self.authority.clock()
        )

    async def contents(self) -> dict[str, list[bytes | None]]:
        """Every byte of every topic that decides something."""
        topics = self.settings.topics
        control = [spec.name for spec in topics.specs(replicas=1) if spec.control]
        return {
            topic: [record.value for record in await read(self.settings.kafka, topic)] for topic in control
        }

    def token_keys(self) -> list[TokenKey]:
        return self.authority.service.keys()

    def adopt(self, change: Callable[[InForce, int], Any]) -> None:
        """What the root's holder decides, and the issuer adopts."""
        authority = self.authority
        root = PrivateKey.from_pem(authority.home.root.read_bytes())
        in_force = InForce.read(authority.service.delegations())
        listed = change(in_force, int(authority.clock()))
        desk = TrustDesk(authority.storage, authority.keystore, authority.publication, authority.clock)
        desk.adopt(listed.signed(ISSUER, root), actor="root")

    def delegate_a_new_event_key(self) -> str:
        key = self.authority.service.make_event_key(actor="alice")
        self.adopt(lambda in_force, now: in_force.delegated([(key.jwk, Role.EVENT)], now, 365))
        return key.kid


@pytest.fixture
async def world(authority: Authority, kafka: str, topics: Topics, tmp_path: Path) -> AsyncIterator[World]:
    world = World(authority, KafkaSettings(kafka=kafka, prefix=topics.prefix), tmp_path)
    yield world
    await world.stop()


on_sqlite = pytest.mark.parametrize("database", [None], ids=["sqlite"])
"""The two databases cannot do it differently."""


def block(sub: str) -> Revocation:
    return Revocation(Selector.subject(ISSUER, sub), Slot.BLOCK)


async def test_what_was_published_after_the_backup_is_taken_in_and_nothing_was_published_before(
    world: World,
) -> None:
    authority = world.authority
    client = authority.client()
    for name in ("kept", "lifted", "extended"):
        authority.block("subject", name, expires_at=T + 1000)
    await world.start()
    await world.published()
    backup = world.backup()
    restored_n = authority.service.status().n
    authority.clock.now += 5
    authority.block("session", "s-1")
    authority.lift("subject", "lifted", slot=Slot.BLOCK)
    authority.block("subject", "extended", expires_at=T + 9000)
    authority.block("client", client)
    authority.revoke(*(block(f"bulk-{number}") for number in range(300)))
    await world.published()
    await world.stop()
    lost, before = authority.service.status(), await world.contents()

    await world.restore(backup)
    assert "ahead of the database" in await world.refuses()
    dry = await world.recover(dry_run=True)
    assert authority.service.status().n == restored_n and dry.next_step is NextStep.START
    account = await world.recover()
    assert await world.contents() == before, "neither the relay that refused nor recover published anything"
    assert (account.restored, account.head, account.taken, account.rows) == (
        (1, restored_n),
        (1, lost.n),
        5,
        304,
    )
    assert (dry.head, dry.taken, dry.rows) == (account.head, account.taken, account.rows)
    assert authority.service.status().table == lost.table

    await world.start()
    receipt = authority.block("subject", "afterwards")
    assert await authority.service.published(receipt, 20) == "published"
    seen = await world.reader()
    assert seen.chain.flaws == () and seen.n == lost.n + 1
    assert seen.table.pack() == authority.service.status().table
    await until(lambda: authority.service.status().audit_backlog == 0, "the outbox is empty")
    events = await read_audit(world.settings.kafka, world.settings.topics)
    assert {AuditType.PUBLISHING_REFUSED, AuditType.DATABASE_RECOVERED} <= {event.type for event in events}


@on_sqlite
async def test_what_came_from_the_log_is_listed_explained_and_lifted_by_fingerprint_or_by_name(
    world: World,
) -> None:
    authority = world.authority
    client = authority.client()
    backup = world.backup()
    authority.block("subject", "alice")
    authority.block("subject", "bob")
    authority.block("client", client)
    await world.start()
    await world.published()
    await world.restore(backup)
    await world.recover()
    service = authority.service
    rows, _ = service.list_revocations()
    assert [row.selector.kind for row in rows] == ["client", "subject", "subject"]
    assert rows[0].selector == Selector.client(ISSUER, client), "what can be named is named"
    alice = authority.terms.name(Selector.subject(ISSUER, "alice"))[0]
    assert Unnamed(ISSUER, "subject", alice) in [row.selector for row in rows]
    assert rows[1].actor == "recover" and "audit" in rows[1].reason

    lifts = [Lift(service.named(alice, Slot.BLOCK), Slot.BLOCK)]
    assert service.revoke([], lifts, actor="carol", reason="").changed
    authority.cut("subject", "bob")
    (named,) = [row for row in service.list_revocations(kind="subject")[0] if row.row.slot is Slot.CUTOFF]
    assert named.selector == Selector.subject(ISSUER, "bob")
    assert authority.lift("subject", "bob", slot=Slot.BLOCK).changed
    await world.start()
    await world.published()
    seen = await world.reader()
    assert seen.table.pack() == service.status().table and seen.chain.flaws == ()


async def test_recover_holds_the_relays_seat(world: World) -> None:
    await world.start()
    await until(lambda: world.authority.publication.relay.state == "publishing", "it publishes")
    with pytest.raises(Conflict, match="stop every issuer"):
        await world.recover()


@on_sqlite
async def test_a_database_that_lacks_nothing_is_left_as_it_is(world: World) -> None:
    await world.start()
    world.authority.block_one_more()
    await world.published()
    await world.stop()
    account = await world.recover()
    assert not account.changed and account.next_step is NextStep.START


async def test_revocations_written_after_the_restore_stand_behind_those_of_the_log(world: World) -> None:
    authority = world.authority
    authority.block("subject", "alice", expires_at=T + 100)
    authority.cut("subject", "bob", cutoff=T - 10)
    await world.start()
    await world.published()
    backup = world.backup()
    authority.clock.now += 50
    authority.block("subject", "alice", expires_at=T + 500)
    authority.block("subject", "carol")
    await world.published()
    await world.restore(backup)
    authority.clock.now += 60
    authority.lift("subject", "alice", slot=Slot.BLOCK)
    authority.block("subject", "dave")
    authority.cut("subject", "bob", cutoff=T)
    dry = await world.recover(dry_run=True)
    account = await world.recover()
    assert (account.taken, account.again, account.head) == (2, 3, (1, 8)) and dry.head == account.head
    rows = {row.selector.values: row for row in authority.service.list_revocations()[0]}
    assert {("bob",), ("dave",)} < rows.keys() and ("alice",) not in rows
    assert rows["dave",].reason == "a test", "ours keep their names, and who asked for them"
    await world.start()
    await world.published(8)
    seen = await world.reader()
    assert seen.chain.flaws == () and seen.table.pack() == authority.service.status().table


@on_sqlite
async def test_a_token_key_that_the_backup_does_not_have_verifies_on_and_a_new_one_signs(
    world: World,
) -> None:
    authority = world.authority
    client = authority.client()
    (first,) = authority.service.keys()
    backup = world.backup()
    await world.start()
    authority.clock.now += 1
    second = authority.service.rotate_key(actor="alice")
    await until(lambda: authority.service.keys()[0].announced_at is not None, "it is announced")
    authority.clock.now += 60
    await until(lambda: authority.service.keys()[0].state is KeyState.ACTIVE, "it signs")
    token = authority.service.mint(client, ORDERS).token
    authority.clock.now += 1
    third = authority.service.rotate_key(actor="alice")
    authority.block_one_more()
    await until(lambda: authority.service.keys()[0].announced_at is not None, "also the third")
    await world.published()
    await world.restore(backup)
    authority.clock.now += 1
    account = await world.recover()
    keys = {key.kid: key for key in world.token_keys()}
    assert {kid: keys[kid].state for kid in (first.kid, second.kid, third.kid)} == dict.fromkeys(
        (first.kid, second.kid, third.kid), KeyState.RETIRING
    )
    assert {key.kid for key in account.token_keys} == {first.kid, second.kid, third.kid}
    assert authority.service.verify(token)["client_id"] == client
    (new,) = set(keys) - {first.kid, second.kid, third.kid}
    await world.start()
    await until(lambda: authority.service.keys()[0].state is KeyState.ACTIVE, "the new one signs")
    assert authority.service.keys()[0].kid == new
    authority.service.mint(client, ORDERS)
    authority.service.revoke_key(second.kid, actor="alice", reason="lost with the database")
    await world.published()
    seen = await world.reader()
    own = seen.trust.key_set.of(ISSUER) if seen.trust.key_set else None
    assert own is not None and seen.chain.flaws == ()
    states = {entry.public.kid: entry.state for entry in own.keys}
    assert states[second.kid] is KeyState.REVOKED and states[new] is KeyState.ACTIVE


@on_sqlite
async def test_a_token_key_revoked_after_the_backup_stays_revoked(world: World) -> None:
    authority = world.authority
    client = authority.client()
    token = authority.service.mint(client, ORDERS).token
    (first,) = authority.service.keys()
    backup = world.backup()
    await world.start()
    authority.clock.now += 1
    authority.service.revoke_key(first.kid, actor="alice", reason="stolen")
    await until(lambda: authority.service.keys()[0].state is KeyState.ACTIVE, "its successor signs")
    await world.published()
    await world.restore(backup)
    await world.recover()
    states = {key.kid: key.state for key in world.token_keys()}
    assert states[first.kid] is KeyState.REVOKED
    assert authority.service.explain(token).reason == "key_revoked"


@on_sqlite
async def test_without_the_private_half_of_an_event_key_nothing_is_published_until_one_is_delegated(
    world: World,
) -> None:
    authority = world.authority
    await world.start()
    await world.published()
    backup = world.backup()
    old = InForce.read(authority.service.delegations()).listed.keys[0].public.kid
    lost = world.delegate_a_new_event_key()
    authority.block("subject", "alice")
    await world.published()
    world.adopt(lambda in_force, now: in_force.retired(old, Bound(epoch=1, n=1), now, 365))
    await world.published()
    await world.stop()
    table, before = authority.service.status().table, await world.contents()
    await world.restore(backup)
    await world.refuses()
    account = await world.recover()
    assert account.next_step is NextStep.EVENT_KEY and authority.service.status().table == table
    with pytest.raises(NotInitialized, match="delegate a new one"):
        authority.block("subject", "bob")
    await world.start()
    await until(lambda: "delegate a new one" in world.problem, "it says what is missing")
    assert await world.contents() == before
    new = world.delegate_a_new_event_key()
    authority.block("subject", "bob")
    await world.published()
    seen = await world.reader()
    assert seen.chain.flaws == () and seen.table.pack() == authority.service.status().table
    assert seen.trust.event_key(new) is not None and new != lost


@on_sqlite
async def test_an_epoch_that_was_opened_after_the_backup_is_taken_in_with_its_table(world: World) -> None:
    authority = world.authority
    for name in ("kept", "lifted-1", "lifted-2"):
        authority.block("subject", name)
    await world.start()
    await world.published()
    backup = world.backup()
    authority.lift("subject", "lifted-1", slot=Slot.BLOCK)
    await world.published()
    await world.stop()
    # Never published: the new epoch's live set is all that tells of it.
    authority.lift("subject", "lifted-2", slot=Slot.BLOCK)
    world.adopt(lambda in_force, now: in_force.new_epoch(now, 365))
    authority.block("subject", "new")
    await world.start()
    await until(lambda: authority.service.status().epoch == 2, "the epoch is open")
    await world.published()
    lost = authority.service.status()
    await world.restore(backup)
    account = await world.recover()
    now = authority.service.status()
    assert (now.epoch, now.n, now.table) == (2, lost.n, lost.table) and account.head == (2, lost.n)
    await world.start()
    assert await authority.service.published(authority.block_one_more(), 20) == "published"
    seen = await world.reader()
    assert seen.chain.flaws == () and seen.table.pack() == authority.service.status().table


@on_sqlite
async def test_a_fork_is_shown_and_only_a_new_epoch_resolves_it(world: World) -> None:
    authority = world.authority
    await world.start()
    await world.published()
    backup = world.backup()
    authority.block("subject", "on-the-log")
    authority.block("subject", "on-the-log-too")
    await world.published()
    log = [record.value for record in await read(world.settings.kafka, world.settings.topics.revocations)]
    await world.restore(backup)
    # The other history was signed, too: a split brain with topics of its own, whose log is then lost.
    other = KafkaSettings(kafka=world.settings.kafka, prefix=f"{world.settings.prefix}-other")
    for spec in other.topics.specs(replicas=1):
        await recreate(other, spec.name)
    ours, world.settings = world.settings, other
    authority.block("subject", "in-the-database")
    await world.start()
    await world.published()
    await world.stop()
    world.settings = ours
    assert "differ" in await world.refuses()
    before = authority.service.status().table
    account = await world.recover()
    assert account.next_step is NextStep.TAKE_LOG and authority.service.status().table == before
    assert [each.place for each in account.foreign] == [(1, 2), (1, 3)]
    assert [row.selector.values for row in account.database_only] == [("in-the-database",)]
    joined = await world.recover(take_log=True)
    assert joined.next_step is NextStep.NEW_EPOCH and authority.service.status().table_rows == 3
    assert (await world.recover(dry_run=True)).foreign == (), "it is joined in once"
    assert "differ" in await world.refuses(), "and that alone does not resolve it"
    on_topic = await read(world.settings.kafka, world.settings.topics.revocations)
    assert [record.value for record in on_topic] == log
    world.adopt(lambda in_force, now: in_force.new_epoch(now, 365))
    await world.start()
    await until(lambda: authority.service.status().relay.state == "publishing", "it publishes")
    await world.published()
    seen = await world.reader()
    assert seen.chain.position is not None and seen.chain.position.epoch == 2
    assert len(authority.service.status().table) == 3 * 20
