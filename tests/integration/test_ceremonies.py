"""Every ceremony of docs/trust.md, rehearsed: real commands, a real issuer on a real Kafka, and guards that live through it."""

import asyncio
import hashlib
import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy import select

from revocast.cli.log_walk import LogWalk
from revocast.cli.operator import Operator
from revocast.cli.settings import kafka_settings, operator_settings
from revocast.cli.topic_reader import read_to_end
from revocast.cli.trust.sources import list_on_topic
from revocast.dev.demo.processes import Processes
from revocast.issuer.bootstrap import Home
from revocast.issuer.keystore import SealedKeys
from revocast.issuer.storage import Storage
from revocast.issuer.storage.tables import SigningKey
from revocast.schemas.checkpoint import Checkpoint
from revocast.schemas.delegating import InForce
from revocast.schemas.delegations import Roots
from revocast.schemas.events import EventBody
from revocast.schemas.jose import PrivateKey, parse_compact
from revocast.schemas.keyset import KeySet
from revocast.schemas.record import Position, Record
from revocast.schemas.row import Row, Slot
from revocast.schemas.selector import Selector, fingerprint, kind_code
from revocast.schemas.settings import KafkaSettings
from revocast.schemas.signer import Signer
from revocast.schemas.signer_uri import signer_of
from revocast.schemas.topics import Topics
from revocast.schemas.trust import Trust
from revocast.sdk import Guard, GuardIncomplete, GuardStale, StartupTimeout, State, TokenError, TokenRevoked
from revocast.sdk.memory import Memory
from tests.cli.conftest import Cli, Done, Issuer
from tests.sdk.stage import until, until_done

pytestmark = pytest.mark.timeout(180)

_AUDIENCE, _CLIENT = "shop", "web"
_WAIT_S = 30.0


class World:
    """One deployment. `root` is the URI of the root that signs at the moment, `first_root` the thumbprint of the first."""

    def __init__(self, issuer: Issuer, folder: Path, kafka: str, root: Path) -> None:
        self.issuer = issuer
        self.folder = folder
        self.kafka = kafka
        self.topics = Topics(issuer.cli.environ["REVOCAST_PREFIX"])
        self.root = str(root)
        self.first_root = signer_of(self.root)[1].kid
        self._register()

    async def run(self, *arguments: str) -> Any:
        """A command that succeeds, as JSON; beside the guards, which live on."""
        done = await self.attempt(*arguments)
        assert done.code == 0, done.err
        return done.data

    async def attempt(self, *arguments: str) -> Done:
        return await asyncio.to_thread(self.issuer.cli, *arguments, "--json")

    async def decide(self, *arguments: str) -> Any:
        """`revocast trust …` with the root key."""
        return await self.run("trust", *arguments, "--root-key", self.root, "--yes")

    async def keys(self, state: str) -> list[str]:
        """The event keys in this state."""
        shown = await self.run("trust", "show")
        return [key["kid"] for key in shown["keys"] if (key["state"], key["role"]) == (state, "event")]

    async def has_taken(self, version: int) -> bool:
        """Whether the issuer has this list in force. While it is distrusted it answers nobody."""
        done = await self.attempt("trust", "show")
        return done.code == 0 and done.data["version"] == version

    def guard(self, *, root: str | None = "first", **options: Any) -> Guard:
        """A service. It pins the first root unless told otherwise."""
        options = {"startup_timeout": _WAIT_S, "state_dir": self.folder / "state", **options}
        pin = self.first_root if root == "first" else root
        return Guard(self.issuer.url, _AUDIENCE, self.kafka, pin, prefix=self.topics.prefix, **options)

    def token(self, sub: str) -> str:
        """A token of a user."""
        body = {"client_id": _CLIENT, "sub": sub, "audience": _AUDIENCE}
        with Operator(operator_settings(self.issuer.cli.environ)) as operator:
            return str(operator.post("/v1/tokens", "revocast:mint", body)["access_token"])

    async def holds_what_the_issuer_has(self, *guards: Guard) -> None:
        """Wait until each guard is ready and has the issuer's bytes at the issuer's n."""
        status = await self.run("status")
        want = (status["epoch"], status["n"], status["table"]["digest"])
        for guard in guards:
            await until(partial(_is_at, guard, want[:2]), _WAIT_S)
            assert (*_place(guard), hashlib.sha256(guard.table()[1]).hexdigest()) == want

    def stolen(self, kid: str) -> Signer:
        """The private half of an event key, as whoever read database and master key has it."""
        home = Home(self.issuer.home)
        storage = Storage(home.database_url)
        try:
            with storage.read() as session:
                key = session.scalars(select(SigningKey).where(SigningKey.kid == kid)).one()
                return SealedKeys.from_file(home.master_key).signer(kid, key.handle)
        finally:
            storage.close()

    async def write(self, topic: str, value: bytes) -> None:
        """What anybody with write access to Kafka can do."""
        async with AIOKafkaProducer(bootstrap_servers=self.kafka, acks="all") as producer:
            await producer.send_and_wait(topic, value, key=b"1", partition=0)

    async def read(self) -> LogWalk:
        """Keys and log, as a reader pinned to the first root believes them."""
        walk = LogWalk(self.issuer.url, self.first_root)
        async for record in read_to_end(self._kafka_settings, self.topics.keys):
            walk.receive_key(record.value, record.offset)
        walk.settle_keys()
        async for record in read_to_end(self._kafka_settings, self.topics.revocations):
            list(walk.receive_record(record.value, record.offset))
        list(walk.finish())
        return walk

    async def next_record(self, *rows: Row) -> Record:
        """What follows on the log."""
        walk = await self.read()
        assert walk.chain.position
        delegations, key_set = walk.trust.versions[0], self._key_set(walk).version
        return walk.chain.position.next_record(
            rows, int(time.time()), delegations=delegations, key_set=key_set
        )

    async def lift(self, sub: str) -> Row:
        """What ends the block of a user."""
        selector = Selector.subject(self.issuer.url, sub)
        salt = self._key_set(await self.read()).salt
        return Row.for_lift(fingerprint(salt, selector), kind_code(selector.kind, ()), Slot.BLOCK)

    async def sign_for_seconds(self, seconds: int) -> bytes:
        """A list that expires soon. No command signs one; the root itself does."""
        _, newest = await list_on_topic(self._kafka_settings, Trust(self.issuer.url, self.first_root))
        assert newest
        now = int(time.time())
        short = InForce.read(newest).renewed(now).model_copy(update={"expires_at": now + seconds})
        return short.signed(self.issuer.url, signer_of(self.root)[0])

    async def other_handover(self, root: Signer) -> bytes:
        """A newer list under a root of somebody's own, to which `root`, the first one, has handed over a second time."""
        _, newest = await list_on_topic(self._kafka_settings, Trust(self.issuer.url, self.first_root))
        assert newest
        listed, thief = InForce.read(newest).listed, PrivateKey.generate()
        roots = Roots(first=listed.roots.first).handed_over(root, thief.public, self.issuer.url)
        forged = listed.model_copy(update={"version": listed.version + 10, "roots": roots})
        return forged.signed(self.issuer.url, thief)

    @property
    def _kafka_settings(self) -> KafkaSettings:
        return kafka_settings(self.issuer.cli.environ)

    @staticmethod
    def _key_set(walk: LogWalk) -> KeySet:
        assert walk.trust.key_set
        return walk.trust.key_set

    def _register(self) -> None:
        with Operator(operator_settings(self.issuer.cli.environ)) as operator:
            service = {"audience": _AUDIENCE, "name": "Shop", "scopes": ["read"]}
            operator.post("/v1/resource-servers", "revocast:clients", service)
            client = {"client_id": _CLIENT, "name": "Web", "access": {_AUDIENCE: ["read"]}}
            operator.post("/v1/clients", "revocast:clients", client)


def _place(guard: Guard) -> tuple[int, int]:
    position, _ = guard.table()
    return (position.epoch, position.n) if position else (0, 0)


def _is_at(guard: Guard, place: tuple[int, int]) -> bool:
    return guard.state is State.READY and _place(guard) >= place


def accepts(guard: Guard, token: str) -> bool:
    """Whether the guard takes the token; it must be able to judge."""
    try:
        guard.verify(token)
    except TokenError:
        return False
    return True


def rejected(guard: Guard, topic: str) -> int:
    """How many records of the topic the guard has rejected."""
    return guard.health().counters.get(f"{topic}.rejected", 0)


def _remembers(memory: Memory, roots: tuple[str, ...], version: int) -> bool:
    remembered = memory.load()
    return remembered is not None and (remembered.roots, remembered.floor.key_set[0]) == (roots, version)


def _has_rejected(guard: Guard, topic: str, count: int) -> bool:
    return rejected(guard, topic) >= count


@pytest.fixture(scope="module")
def world(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One for the module; the ceremonies follow one another, as they would in years."""
    folder = tmp_path_factory.mktemp("ceremonies")
    with closing(Processes(folder)) as processes:
        issuer = Issuer(kafka, folder, processes)
        issuer.init()
        issuer.start()
        yield World(issuer, folder, kafka, issuer.home / "root.pem")


async def test_the_event_key_is_rotated_and_retired_under_a_guard_and_then_signs_nothing_new(
    world: World,
) -> None:
    (old,) = await world.keys("active")
    token, good = world.token("alice"), world.token("bob")
    async with world.guard() as guard:
        changes: list[State] = []
        guard.on_change(lambda change: changes.append(change.after))
        await world.run("revoke", "subject", "carol")
        new = (await world.decide("delegate"))["active"]
        assert new != old
        await world.run("block", "subject", "alice")
        await until(lambda: not accepts(guard, token), _WAIT_S)
        bound = next(key["last"] for key in (await world.run("trust", "show"))["keys"] if key["kid"] == old)
        await world.decide("retire", old)
        await world.run("block", "subject", "dave")
        await world.holds_what_the_issuer_has(guard)
        assert changes == [], "ready all the time"
        assert accepts(guard, good)

        thief = world.stolen(old)
        table, (epoch, n) = guard.table(), _place(guard)
        assert (epoch, n) > (bound["epoch"], bound["n"])
        walk = await world.read()
        assert walk.trust.key_set and walk.chain.position
        forgeries: dict[str, EventBody] = {
            "log": await world.next_record(await world.lift("alice")),
            "keys": walk.trust.key_set.model_copy(update={"version": walk.trust.key_set.version + 1}),
            "checkpoints": Checkpoint(
                t=int(time.time()),
                epoch=epoch,
                n=n + 100,
                hash=walk.chain.position.hash,
                delegations=walk.trust.versions[0],
                key_set=walk.trust.key_set.version,
            ),
        }
        for topic, forgery in forgeries.items():
            before = rejected(guard, topic)
            name = world.topics.revocations if topic == "log" else f"{world.topics.prefix}.{topic}"
            await world.write(name, forgery.signed(world.issuer.url, thief))
            await until(partial(_has_rejected, guard, topic, before + 1), _WAIT_S)
        assert guard.table() == table
        assert not accepts(guard, token)
        await world.run("block", "subject", "erin")
        await world.holds_what_the_issuer_has(guard)
    async with world.guard() as late:
        await world.holds_what_the_issuer_has(late)


async def test_a_compromised_event_key_un_revokes_nothing_for_good_and_the_old_table_is_enforced_meanwhile(
    world: World, tmp_path: Path
) -> None:
    # The issuer is down while the root decides, so that the time in which the new epoch is not whole has no hurry to end.
    (lost,) = await world.keys("active")
    victim, other, good = world.token("victim"), world.token("other"), world.token("bob")
    for sub in ("victim", "other"):
        await world.run("block", "subject", sub)
    bundle, signed = tmp_path / "request.json", tmp_path / "list.jwt"
    new = (await world.run("trust", "request", "--event-key", "--out", str(bundle)))["event_key"]
    async with world.guard() as guard, world.guard(policy="allow") as lenient:
        await world.holds_what_the_issuer_has(guard, lenient)
        world.issuer.kill()
        thief = world.stolen(lost)
        lifted = await world.next_record(await world.lift("other"))
        await world.write(world.topics.revocations, lifted.signed(world.issuer.url, thief))
        await until(lambda: accepts(guard, other), _WAIT_S)

        late = await world.next_record(await world.lift("victim"))
        await world.decide("compromised", lost, "--from", str(bundle), "--out", str(signed))
        await world.run("trust", "publish", str(signed), "--kafka", "--yes")
        await until(lambda: State.INCOMPLETE is guard.state is lenient.state, _WAIT_S)
        with pytest.raises(GuardIncomplete):
            guard.verify(good)
        assert (accepts(lenient, good), accepts(lenient, victim)) == (True, False)
        before = rejected(lenient, "log")
        opened = InForce.read(signed.read_bytes().strip())
        first = Position.opening(opened.listed.epoch, opened.hash).next_record(
            [], int(time.time()), delegations=opened.listed.version, key_set=1, closes_live_set=True
        )
        for forgery in (late, first):
            await world.write(world.topics.revocations, forgery.signed(world.issuer.url, thief))
        await until(partial(_has_rejected, lenient, "log", before + 2), _WAIT_S)
        assert (accepts(lenient, good), accepts(lenient, victim)) == (True, False)
        assert guard.state is State.INCOMPLETE

        await asyncio.to_thread(world.issuer.start)
        await until(lambda: State.READY is guard.state is lenient.state, _WAIT_S)
        assert await world.keys("active") == [new]
        assert lost in await world.keys("compromised")
        await world.holds_what_the_issuer_has(guard, lenient)
        for reader in (guard, lenient):
            assert _place(reader)[0] == opened.listed.epoch
            assert (accepts(reader, good), accepts(reader, victim), accepts(reader, other)) == (
                True,
                False,
                False,
            )


async def test_break_glass_with_the_issuer_dead_and_its_database_gone(world: World) -> None:
    before = world.token("bob")
    kid = parse_compact(before, 8192).header["kid"]
    await world.run("keys", "rotate")
    after = before
    async with asyncio.timeout(30):
        while parse_compact(after, 8192).header["kid"] == kid:
            await asyncio.sleep(0.1)
            after = await asyncio.to_thread(world.token, "bob")
    async with world.guard() as guard:
        assert accepts(guard, before) and accepts(guard, after)
        world.issuer.kill()
        gone = world.folder / "gone"
        shutil.move(world.issuer.home, gone)
        world.root = str(gone / "root.pem")
        # Without the issuer's folder the operator has what he wrote down: issuer, root, Kafka.
        operator = world.issuer.cli
        world.issuer.cli = operator.having(REVOCAST_ROOT=world.first_root)
        try:
            await world.decide("distrust", kid, "--kafka")
            await until(lambda: not accepts(guard, before), _WAIT_S)
            with pytest.raises(TokenRevoked):
                guard.verify(before)
            assert accepts(guard, after)
            await world.decide("distrust", "--issuer", "--kafka")
            await until(lambda: not accepts(guard, after), _WAIT_S)
            async with world.guard() as fresh:
                assert not accepts(fresh, after)
            await world.decide("distrust", "--again", "--issuer", kid, "--kafka")
            await until(lambda: accepts(guard, before) and accepts(guard, after), _WAIT_S)
            version = (await world.run("trust", "show", "--kafka"))["version"]
        finally:
            shutil.move(gone, world.issuer.home)
            world.root = str(world.issuer.home / "root.pem")
            world.issuer.cli = operator
        await asyncio.to_thread(world.issuer.start)
        # It takes the newer list from the topic: a root outranks its database.
        await until_done(partial(world.has_taken, version), _WAIT_S)
        await world.run("block", "subject", "frank")
        await world.holds_what_the_issuer_has(guard)


async def test_three_root_rotations_are_slept_through_and_followed_in_order(world: World) -> None:
    state, first = world.folder / "sleeper", signer_of(world.root)[0]
    good = world.token("bob")
    async with world.guard(root=None, state_dir=state) as guard:
        assert accepts(guard, good)
    for number in (2, 3, 4):
        successor = world.folder / f"root-{number}.pem"
        await world.decide("rotate-root", "--new-root-key", str(successor))
        world.root = str(successor)
    # The first root was not destroyed, and somebody hands over from it again: too late for whoever reads ours first.
    await world.write(world.topics.keys, await world.other_handover(first))
    await world.decide("renew")
    shown = await world.run("trust", "show")
    roots = shown["roots"]
    assert len(roots) == 4
    world.issuer.kill()  # so nobody can be asked: what was pinned on first use is remembered
    try:
        async with world.guard(root=None, state_dir=state) as sleeper:
            assert accepts(sleeper, good)
            memory = Memory(sleeper.settings.memory_path)
            await until(partial(_remembers, memory, tuple(roots), shown["version"]), _WAIT_S)
        # What was remembered lets a guard skip the lists that lead to ours: it must not take the thief's instead.
        fresh_guards = [(pin, world.folder / pin) for pin in (world.first_root, roots[2], roots[3])]
        for pin, state_dir in [(world.first_root, state), *fresh_guards]:
            async with world.guard(root=pin, state_dir=state_dir) as fresh:
                assert accepts(fresh, good)
                assert fresh.health().delegations == shown["version"]
        stranger = world.guard(
            root=PrivateKey.generate().kid, state_dir=world.folder / "stranger", startup_timeout=2
        )
        with pytest.raises(StartupTimeout, match="no delegation list that the pinned root signed"):
            await stranger.start()
        async with world.guard(root=None, state_dir=state) as again:
            assert accepts(again, good)
    finally:
        await asyncio.to_thread(world.issuer.start)


async def test_the_expiry_is_warned_of_and_then_ends_all_belief_until_the_list_is_renewed(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    good = world.token("bob")
    async with world.guard() as guard, world.guard(policy="allow") as lenient:
        assert not any("expires" in warning for warning in guard.health().warnings)
        with caplog.at_level(logging.WARNING, "revocast.sdk"):
            await world.decide("renew", "--days", "59")
            await until(
                lambda: any("expires in 58 days" in said for said in guard.health().warnings), _WAIT_S
            )
            await until(lambda: "expires in 58 days" in caplog.text, _WAIT_S)
        assert accepts(guard, good)
        short = world.folder / "short.jwt"
        short.write_bytes(await world.sign_for_seconds(3))
        await world.run("trust", "publish", str(short), "--kafka", "--yes")
        await until(lambda: State.STALE is guard.state is lenient.state, _WAIT_S)
        with pytest.raises(GuardStale, match="the delegation list has expired"):
            guard.verify(good)
        assert accepts(lenient, good)
        assert (await world.attempt("trust", "show", "--kafka")).code == 1
        late = world.guard(startup_timeout=2)
        with pytest.raises(StartupTimeout, match="has expired"):
            await late.start()
        renewed = await world.decide("renew", "--kafka")
        await until(lambda: State.READY is guard.state is lenient.state, _WAIT_S)
        await until_done(partial(world.has_taken, renewed["version"]), _WAIT_S)
        assert accepts(guard, good)


async def test_a_log_that_is_begun_anew_keeps_every_revocation(world: World) -> None:
    token, good = world.token("gina"), world.token("bob")
    await world.run("block", "subject", "gina")
    async with world.guard() as guard:
        done = await world.decide("new-epoch")
        await world.holds_what_the_issuer_has(guard)
        assert _place(guard)[0] == done["epoch"]
        assert (accepts(guard, token), accepts(guard, good)) == (False, True)


async def test_a_lost_root_is_replaced_by_a_new_deployment_whose_root_never_sees_the_host(
    world: World, kafka: str, tmp_path: Path
) -> None:
    old = world.token("bob")
    world.issuer.kill()
    offline = Cli({"REVOCAST_HOME": str(tmp_path / "nowhere")})
    root, public, first = tmp_path / "root.pem", tmp_path / "root.pub.json", tmp_path / "list.jwt"
    made = offline("trust", "init", "--new-root-key", str(root), "--out", str(public), "--json")
    assert made.code == 0, made.err
    with closing(Processes(tmp_path / "issuer")) as processes:
        (tmp_path / "issuer").mkdir()
        issuer = Issuer(kafka, tmp_path / "issuer", processes)
        request = issuer.init("--root-public", str(public))["request"]
        signed = offline(
            "trust", "init", "--from", request, "--root-key", str(root), "--out", str(first), "--yes"
        )
        assert signed.code == 0, signed.err
        taken = issuer.cli("init", "--list", str(first))
        assert taken.code == 0, taken.err
        assert not list(issuer.home.glob("root*"))
        issuer.start()
        renewed = World(issuer, tmp_path, kafka, root)
        assert renewed.first_root == made.data["root"]
        new = renewed.token("bob")
        async with renewed.guard() as guard:
            assert (accepts(guard, new), accepts(guard, old)) == (True, False)
