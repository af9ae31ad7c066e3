"""Reading everything anew on a real Kafka, beside the state in force."""

import asyncio
import time
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from revocast.schemas.topics import Topics
from revocast.sdk import Guard, GuardUnavailable, State, TokenRevoked, Transition, recovery
from revocast.sdk import kafka as source
from revocast.testing import Authority, Message
from tests.sdk.stage import Stage, stage, until, until_done
from tests.sdk.test_follower import guard_on


async def test_a_guard_on_the_wrong_branch_gets_well_by_itself_once_the_log_holds_the_right_one(
    kafka: str, prefix: str, topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "ANEW_SECONDS", (0.2, 0.5))
    monkeypatch.setattr(source, "_SETTLED", 0.5)
    authority = Authority(now=int(time.time()))
    mallory, bob, carol = (authority.mint(sub=name) for name in ("mallory", "bob", "carol"))
    authority.block(authority.subject("mallory"))
    authority.checkpoint()
    told: list[Transition] = []
    async with (
        stage(authority, topics, kafka) as staged,
        guard_on(kafka, authority, prefix, tmp_path) as guard,
    ):
        guard.on_change(told.append)
        _, wrong = authority.sign_next((authority.block_row(authority.subject("carol")),))
        await staged.send(topics.revocations, Message(0, b"", wrong))
        await until(lambda: refuses(guard, carol))
        authority.block(authority.subject("bob"))
        authority.append()
        authority.checkpoint()
        await staged.publish()
        await until(lambda: guard.state is State.INCOMPLETE)
        with pytest.raises(GuardUnavailable):
            guard.verify(bob)

        # The log holds both, the wrong one first: reading anew does not help, and is said not to have.
        await until(lambda: any("which did not help" in warning for warning in guard.health().warnings))
        assert guard.state is State.INCOMPLETE
        assert refuses(guard, carol, freshness="allow")
        assert not refuses(guard, bob, freshness="allow")

        applied = guard.health().counters["log.applied"]
        stop = asyncio.Event()
        watching = asyncio.create_task(asyncio.to_thread(always_refused, guard, mallory, stop))
        await recreate(topics.revocations, kafka)
        await resend(staged, topics.revocations, authority)
        await until(lambda: guard.state is State.READY, seconds=60)
        stop.set()
        assert await watching  # no moment in which neither table was in force
        assert refuses(guard, bob)
        assert not refuses(guard, carol)
        assert guard.table() == (authority.position, authority.table.pack())
        assert (told[-1].before, told[-1].after) == (State.INCOMPLETE, State.READY)
        assert "read anew" in told[-1].reason
        assert guard.health().counters["log.applied"] >= applied  # counters go on
        assert not any("anew" in warning for warning in guard.health().warnings)

        authority.block(authority.subject("erin"))  # and it follows on
        await staged.publish()
        await until(lambda: guard.health().n == authority.position.n)


def refuses(guard: Guard, token: str, freshness: str = "deny") -> bool:
    try:
        guard.verify(token, freshness=freshness)  # type: ignore[arg-type]
    except TokenRevoked:
        return True
    except GuardUnavailable:
        pass
    return False


def always_refused(guard: Guard, token: str, stop: asyncio.Event) -> bool:
    refused = True
    while not stop.is_set():
        refused = refused and refuses(guard, token, freshness="allow")
        time.sleep(0.0005)
    return refused


async def recreate(topic: str, kafka: str) -> None:
    """As an election of a broker that had lost the records, and then others."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.delete_topics([topic])

        async def create() -> bool:
            answer = await admin.create_topics([NewTopic(topic, 1, 1)])
            return not any(code for _, code, *_ in answer.topic_errors)

        await until_done(create)
    finally:
        await admin.close()


async def resend(staged: Stage, topic: str, authority: Authority) -> None:
    for message in authority.log:
        await staged.send(topic, message)
