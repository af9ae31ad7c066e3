"""The guard on a real Kafka: what the network and the broker do to it."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from revocast.dev.broker import Broker
from revocast.dev.broker.topics import create_topics, truncate
from revocast.schemas.row import Slot
from revocast.schemas.topics import Topics
from revocast.sdk import (
    Guard,
    GuardIncomplete,
    GuardStale,
    GuardUnavailable,
    StartupTimeout,
    State,
    TokenRevoked,
)
from revocast.testing import Authority
from tests.sdk.stage import stage, until, until_done
from tests.sdk.well_known import WellKnown, newest_list


@pytest.fixture
def authority() -> Authority:
    return Authority(now=int(time.time()))


def guard_on(kafka: str, authority: Authority, prefix: str, home: Path, **options: Any) -> Guard:
    return Guard(
        authority.issuer, authority.audience, kafka, authority.pin, prefix=prefix, state_dir=home, **options
    )


def refuses(guard: Guard, token: str) -> bool:
    try:
        guard.verify(token)
    except TokenRevoked:
        return True
    except GuardUnavailable:
        pass
    return False


async def test_a_guard_starts_current_and_follows(
    kafka: str, prefix: str, topics: Topics, authority: Authority, tmp_path: Path
) -> None:
    revoked, good = authority.mint(), authority.mint()
    authority.revoke(revoked)
    authority.checkpoint()
    async with (
        stage(authority, topics, kafka) as staged,
        guard_on(kafka, authority, prefix, tmp_path) as guard,
    ):
        assert guard.state is State.READY
        assert refuses(guard, revoked)
        assert not refuses(guard, good)
        authority.revoke(good)
        await staged.publish()
        await until(lambda: refuses(guard, good))
        assert guard.table() == (authority.position, authority.table.pack())


async def test_a_guard_can_be_started_again(
    kafka: str, prefix: str, topics: Topics, authority: Authority, tmp_path: Path
) -> None:
    guard = guard_on(kafka, authority, prefix, tmp_path)
    async with stage(authority, topics, kafka) as staged:
        async with guard:
            with pytest.raises(RuntimeError, match="already"):
                await guard.start()
        assert guard.state is State.CLOSED
        token = authority.mint()
        authority.revoke(token)
        authority.checkpoint()
        await staged.publish()
        async with guard:
            assert refuses(guard, token)


async def test_keys_take_effect_as_they_arrive(
    kafka: str, prefix: str, topics: Topics, authority: Authority, tmp_path: Path
) -> None:
    async with (
        stage(authority, topics, kafka) as staged,
        guard_on(kafka, authority, prefix, tmp_path) as guard,
    ):
        old = authority.mint()
        authority.rotate("ES256")
        new = authority.mint()
        authority.block(authority.subject("mallory"))  # names the new key set: the log waits for the keys
        await staged.publish()
        await until(lambda: guard.health().n == authority.position.n)
        assert guard.verify(new)
        assert guard.verify(old)
        authority.revoke_key(authority.active.kid)
        await staged.publish()
        await until(lambda: refuses(guard, new))
        assert guard.verify(old)


async def test_a_record_whose_delegation_came_too_late_is_read_again(
    kafka: str, prefix: str, topics: Topics, authority: Authority, tmp_path: Path
) -> None:
    async with (
        stage(authority, topics, kafka) as staged,
        guard_on(kafka, authority, prefix, tmp_path) as guard,
    ):
        token = authority.mint()
        before = len(authority.keys)
        authority.rotate_event_key()
        late = [authority.keys.drop(before) for _ in range(2)]
        authority.revoke(token)
        await staged.publish()
        await until(lambda: guard.health().counters.get("log.rejected") == 1)
        for message in late:
            await staged.send(topics.keys, message)
        authority.checkpoint()  # says that there is a record which the guard has rejected
        await staged.publish()
        await until(lambda: refuses(guard, token))
        assert guard.table() == (authority.position, authority.table.pack())


async def test_hostile_records_change_nothing_now_or_after_a_restart(
    kafka: str, prefix: str, topics: Topics, authority: Authority, tmp_path: Path
) -> None:
    blocked = authority.subject("alice")
    token = authority.mint(sub="alice")
    async with (
        stage(authority, topics, kafka) as staged,
        guard_on(kafka, authority, prefix, tmp_path) as guard,
    ):
        authority.block(blocked)
        lift = authority.lift(blocked)
        authority.block(blocked)
        await staged.publish()
        for log, topic in (
            (authority.log, topics.revocations),
            (authority.keys, topics.keys),
            (authority.checkpoints, topics.checkpoints),
        ):
            await staged.send(topic, log.forge(-1))
            await staged.send(topic, log.messages[0])
            for junk in (None, b"", b"junk", b"a.b.c", b"x" * 100_000):
                await staged.send(topic, type(lift)(0, b"junk", junk))
        await staged.send(topics.revocations, lift)
        good = authority.mint(sub="bob")
        authority.revoke(good)
        authority.checkpoint()
        await staged.publish()
        await until(lambda: refuses(guard, good))
        assert refuses(guard, token)
        assert guard.state is State.READY
        assert guard.table() == (authority.position, authority.table.pack())
        counters = guard.health().counters
        assert counters["log.replay"] >= 2
        assert min(counters[f"{topic}.rejected"] for topic in ("log", "keys", "checkpoints")) >= 5
        async with guard_on(kafka, authority, prefix, tmp_path) as later:
            assert later.table() == guard.table()
            assert refuses(later, token)


async def test_a_gap_is_said_and_healed(
    kafka: str, prefix: str, topics: Topics, authority: Authority, tmp_path: Path
) -> None:
    async with (
        stage(authority, topics, kafka) as staged,
        guard_on(kafka, authority, prefix, tmp_path) as guard,
    ):
        first, second = authority.mint(), authority.mint()
        authority.revoke(first)
        lost = authority.log.drop(-1)
        authority.revoke(second)
        await staged.publish()
        await until(lambda: guard.state is State.INCOMPLETE)
        with pytest.raises(GuardIncomplete, match="is missing"):
            guard.verify(second)
        await staged.send(topics.revocations, lost)
        await until(lambda: guard.state is State.READY)
        assert refuses(guard, first)
        assert refuses(guard, second)


async def test_a_lost_tail_is_said_and_healed(
    kafka: str, prefix: str, topics: Topics, authority: Authority, tmp_path: Path
) -> None:
    async with (
        stage(authority, topics, kafka) as staged,
        guard_on(kafka, authority, prefix, tmp_path) as guard,
    ):
        token = authority.mint()
        authority.revoke(token)
        lost = authority.log.drop(-1)
        authority.checkpoint()  # signed for a record that the log does not hold
        await staged.publish()
        await until(lambda: guard.state is State.INCOMPLETE)
        assert "signed for" in guard.health().reason
        await staged.send(topics.revocations, lost)
        await until(lambda: guard.state is State.READY)
        assert refuses(guard, token)


async def test_a_fork_is_ignored_and_said(
    kafka: str, prefix: str, topics: Topics, authority: Authority, tmp_path: Path
) -> None:
    async with (
        stage(authority, topics, kafka) as staged,
        guard_on(kafka, authority, prefix, tmp_path) as guard,
    ):
        token = authority.mint()
        _, other = authority.sign_next((authority.block_row(authority.subject("bob")),))
        record = authority.revoke(token)
        await staged.publish()
        await staged.send(topics.revocations, type(record)(0, record.key, other))
        await until(lambda: guard.state is State.INCOMPLETE)
        assert "another history" in guard.health().reason
        authority.advance(1)  # the issuer's word on which one is right
        await staged.publish()
        await until(lambda: guard.state is State.READY)
        assert refuses(guard, token)


async def test_a_recreated_log_is_read_from_its_beginning(
    kafka: str, prefix: str, topics: Topics, authority: Authority, tmp_path: Path
) -> None:
    async with (
        stage(authority, topics, kafka) as staged,
        guard_on(kafka, authority, prefix, tmp_path) as guard,
    ):
        for name in "abcde":
            authority.block(authority.subject(name))
        await staged.publish()
        await until(lambda: guard.health().n == authority.position.n)
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
        await admin.start()
        try:
            await admin.delete_topics([topics.revocations])

            async def create() -> bool:
                answer = await admin.create_topics([NewTopic(topics.revocations, 1, 1)])
                return not any(code for _, code, *_ in answer.topic_errors)

            await until_done(create)  # Kafka deletes in the background; the name is free a moment later
        finally:
            await admin.close()
        token = authority.mint()
        authority.revoke(token)  # the issuer goes on where it stood
        await staged.publish()
        await until(lambda: refuses(guard, token), seconds=60)


async def test_a_truncated_log_makes_no_guard_ready(
    kafka: str, prefix: str, topics: Topics, authority: Authority, tmp_path: Path
) -> None:
    for name in "abc":
        authority.block(authority.subject(name))
    async with stage(authority, topics, kafka):
        await truncate(topics.revocations, kafka, 2)
        with pytest.raises(StartupTimeout, match="no record of the log has been applied"):
            async with guard_on(kafka, authority, prefix, tmp_path, startup_timeout=3):
                pass


async def test_what_a_transaction_leaves_at_the_end_is_not_waited_for(
    kafka: str, prefix: str, topics: Topics, authority: Authority, tmp_path: Path
) -> None:
    async with (
        stage(authority, topics, kafka),
        AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=prefix) as hostile,
    ):
        for topic in (topics.keys, topics.checkpoints, topics.revocations):
            async with hostile.transaction():
                await hostile.send_and_wait(topic, b"junk", key=b"junk")
        async with guard_on(kafka, authority, prefix, tmp_path, startup_timeout=10) as guard:
            assert guard.state is State.READY


async def test_checkpoints_are_found_behind_any_amount_of_junk(
    kafka: str, prefix: str, topics: Topics, authority: Authority, tmp_path: Path
) -> None:
    async with stage(authority, topics, kafka) as staged:
        junk = authority.checkpoints.forge(0)
        for _ in range(150):
            await staged.send(topics.checkpoints, junk)
        async with guard_on(kafka, authority, prefix, tmp_path, startup_timeout=10) as guard:
            assert guard.state is State.READY


async def test_without_topics_it_says_what_is_missing(
    kafka: str, prefix: str, authority: Authority, tmp_path: Path
) -> None:
    guard = guard_on(kafka, authority, prefix, tmp_path, startup_timeout=2)
    with pytest.raises(StartupTimeout, match=f"no such topic: {prefix}.checkpoints"):
        await guard.start()
    assert guard.state is State.CLOSED


async def test_another_root_than_the_pinned_one_is_told(
    kafka: str, prefix: str, topics: Topics, authority: Authority, tmp_path: Path
) -> None:
    async with stage(authority, topics, kafka):
        stranger = Authority(now=authority.now)
        stranger.issuer = authority.issuer
        with pytest.raises(StartupTimeout, match="do not lead back to the pinned root"):
            await guard_on(kafka, stranger, prefix, tmp_path, startup_timeout=2).start()


async def test_the_root_is_pinned_on_first_use_and_remembered(
    kafka: str, prefix: str, topics: Topics, issuer: WellKnown, tmp_path: Path
) -> None:
    authority = Authority(issuer.url, now=int(time.time()))
    issuer.body = newest_list(authority)

    def trusting() -> Guard:
        return Guard(issuer.url, "orders", kafka, prefix=prefix, state_dir=tmp_path, startup_timeout=5)

    async with stage(authority, topics, kafka) as staged:
        async with trusting() as guard:
            assert guard.verify(authority.mint())
            assert guard.settings.memory_path.exists()
            authority.rotate_root()
            authority.checkpoint()
            await staged.publish()
            await until(lambda: authority.root.kid in guard.settings.memory_path.read_text())
        stranger = Authority(issuer.url, now=authority.now)
        issuer.body = newest_list(stranger)  # whoever takes over the issuer's name later is not asked
        async with trusting() as guard:
            assert guard.verify(authority.mint())
        assert issuer.requests == ["/.well-known/revocast"]


async def test_older_keys_than_an_earlier_run_has_seen_are_not_taken(
    kafka: str, prefix: str, topics: Topics, authority: Authority, tmp_path: Path
) -> None:
    authority.rotate()
    authority.distrust("some-kid")
    newest = authority.keys.drop(-1)
    async with stage(authority, topics, kafka) as staged:
        await staged.send(topics.keys, newest)
        async with guard_on(kafka, authority, prefix, tmp_path) as guard:
            await until(guard.settings.memory_path.exists)
            assert guard.health().delegations == authority.delegations
    other = Topics(f"{prefix}-2")
    await create_topics(other, kafka)
    authority.delegations -= 1  # the world as it was: the distrust never happened
    authority.checkpoint()
    again = guard_on(kafka, authority, other.prefix, tmp_path, startup_timeout=2)
    guard.settings.memory_path.rename(again.settings.memory_path)
    async with stage(authority, other, kafka):
        with pytest.raises(StartupTimeout, match="older than one that an earlier run has seen"):
            await again.start()


async def test_a_broker_that_dies_makes_it_stale_until_it_is_back(
    broker: Broker, prefix: str, authority: Authority, tmp_path: Path
) -> None:
    topics = Topics(prefix)
    await create_topics(topics, broker.bootstrap)
    first, second = authority.mint(), authority.mint()
    async with (
        stage(authority, topics, broker.bootstrap) as staged,
        guard_on(broker.bootstrap, authority, prefix, tmp_path, link_age=4) as guard,
    ):
        lenient = guard_on(broker.bootstrap, authority, prefix, tmp_path, link_age=4, policy="allow")
        async with lenient:
            authority.revoke(first)
            await staged.publish()
            await until(lambda: refuses(guard, first) and refuses(lenient, first))
            await asyncio.to_thread(broker.kill)
            await until(lambda: guard.state is State.STALE and lenient.state is State.STALE, seconds=30)
            with pytest.raises(GuardStale):
                guard.verify(second)
            assert lenient.verify(second)
            assert refuses(lenient, first)
            await asyncio.to_thread(broker.start)
            await until(lambda: guard.state is State.READY, seconds=60)
            authority.revoke(second)
            await staged.publish()
            await until(lambda: refuses(guard, second), seconds=30)
            assert guard.table() == (authority.position, authority.table.pack())


async def test_a_guard_that_starts_before_its_broker_waits_for_it(
    broker: Broker, prefix: str, authority: Authority, tmp_path: Path
) -> None:
    await create_topics(Topics(prefix), broker.bootstrap)
    async with stage(authority, Topics(prefix), broker.bootstrap):
        pass
    await asyncio.to_thread(broker.stop)
    short = guard_on(broker.bootstrap, authority, prefix, tmp_path, startup_timeout=1)
    with pytest.raises(StartupTimeout, match="Kafka: "):
        await short.start()
    patient = guard_on(broker.bootstrap, authority, prefix, tmp_path, startup_timeout=60)
    starting = asyncio.create_task(patient.start())
    await asyncio.to_thread(broker.start)
    await starting
    assert patient.state is State.READY
    await patient.stop()


async def test_a_frozen_broker_makes_it_stale(
    broker: Broker, prefix: str, authority: Authority, tmp_path: Path
) -> None:
    await create_topics(Topics(prefix), broker.bootstrap)
    async with (
        stage(authority, Topics(prefix), broker.bootstrap),
        guard_on(broker.bootstrap, authority, prefix, tmp_path, link_age=3) as guard,
    ):
        await asyncio.to_thread(broker.pause)
        await until(lambda: guard.state is State.STALE, seconds=30)
        await asyncio.to_thread(broker.resume)
        await until(lambda: guard.state is State.READY, seconds=60)


async def test_a_service_without_a_loop_uses_a_plain_with(
    kafka: str, prefix: str, topics: Topics, authority: Authority, tmp_path: Path
) -> None:
    token = authority.mint()

    async with stage(authority, topics, kafka) as staged:
        inside, go_on = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def service() -> tuple[bool, object]:
            with guard_on(kafka, authority, prefix, tmp_path) as guard:
                accepted = not refuses(guard, token)
                loop.call_soon_threadsafe(inside.set)
                asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()
                asyncio.run(until(lambda: refuses(guard, token)))
                return accepted, guard.table()

        running = asyncio.create_task(asyncio.to_thread(service))
        await inside.wait()
        authority.revoke(token)
        await staged.publish()
        go_on.set()
        assert await running == (True, (authority.position, authority.table.pack()))


async def test_a_new_epoch_swaps_in_whole(
    kafka: str, prefix: str, topics: Topics, authority: Authority, tmp_path: Path
) -> None:
    blocked, free = authority.mint(sub="alice"), authority.mint(sub="bob")
    authority.block(authority.subject("alice"))
    async with (
        stage(authority, topics, kafka) as staged,
        guard_on(kafka, authority, prefix, tmp_path) as guard,
    ):
        authority.new_epoch()
        authority.cutoff(authority.subject("bob"))
        authority.lift(authority.subject("nobody"), Slot.CUTOFF)
        authority.checkpoint()
        await staged.publish()
        await until(lambda: guard.state is State.READY and guard.health().n == authority.position.n)
        assert refuses(guard, free)
        assert refuses(guard, blocked)
        assert guard.table() == (authority.position, authority.table.pack())
