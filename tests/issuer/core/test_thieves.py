"""Thieves of event keys that write to Kafka: what stops neither the relay nor `recover`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from revocast.issuer.authority.recovered import NextStep
from revocast.issuer.recovery import recover
from revocast.issuer.storage.tables import LogRecord
from revocast.schemas.events import Envelope
from revocast.schemas.jose import PrivateKey
from revocast.schemas.keyset import KeySet
from revocast.schemas.record import Position
from revocast.schemas.row import Row
from revocast.schemas.selector import Selector
from revocast.schemas.settings import KafkaSettings
from revocast.schemas.topics import Topics
from tests.issuer.core.authority import ISSUER, Authority, T
from tests.issuer.core.backup import Backup
from tests.issuer.core.reader import write
from tests.issuer.core.test_relay_trust import World, private_half

_LARGEST = 2**53 - 1


@pytest.fixture
def database() -> None:
    """These are about Kafka: SQLite is enough."""


@pytest.fixture
async def world(authority: Authority, kafka: str, topics: Topics) -> AsyncIterator[World]:
    world = World(authority, KafkaSettings(kafka=kafka, prefix=topics.prefix))
    yield world
    await world.stop()


def everyone_signed_out(world: World) -> Row:
    selector = Selector.issuer_wide(ISSUER)
    return Row.for_cutoff(*world.authority.terms.name(selector), T, T + 9000)


def of_a_retired_key(world: World, thief: PrivateKey) -> list[tuple[bytes, bytes]]:
    """Everything that a thief of a retired key can sign and nobody needs to believe."""
    with world.authority.storage.read() as session:
        first = session.get(LogRecord, (1, 1))
        assert first is not None
        opening = Position.opening(1, first.prev)
    record = opening.next_record([everyone_signed_out(world)], T, delegations=1, key_set=1)
    nonsense = record.model_copy(update={"n": 0})
    unheard_of = record.model_copy(update={"epoch": 1, "n": 900})
    return [(each.key, each.signed(ISSUER, thief)) for each in (record, nonsense, unheard_of)]


async def retired(world: World) -> PrivateKey:
    """The world publishes, and the key that signed first is retired and stolen."""
    await world.start()
    old = world.holder.active
    world.authority.block("subject", "alice")
    await world.everything_is_published()
    thief = private_half(world, old)
    world.holder.delegate()
    world.holder.retire(old)
    assert await world.service.published(world.authority.block_one_more(), 30) == "published"
    return thief


async def test_a_thief_of_a_retired_event_key_does_not_stop_the_relay(world: World) -> None:
    thief = await retired(world)
    await write(world.settings.kafka, world.topics.revocations, *of_a_retired_key(world, thief))
    for _ in range(2):
        assert await world.service.published(world.authority.block_one_more(), 10) == "published"
        await world.stop()
        await world.start()
    world.holder.adopt(world.holder.new_epoch())
    await write(world.settings.kafka, world.topics.revocations, *of_a_retired_key(world, thief))
    assert await world.service.published(world.authority.block_one_more(), 10) == "published"
    await world.everyone_agrees()


async def test_what_a_thief_of_a_retired_event_key_wrote_is_no_other_history_for_recover(
    world: World, tmp_path: Path
) -> None:
    thief = await retired(world)
    await world.stop()
    backup = Backup(world.authority.url, tmp_path)
    await world.start()
    world.authority.block("subject", "bob")
    await world.everything_is_published()
    await write(world.settings.kafka, world.topics.revocations, *of_a_retired_key(world, thief))
    await world.stop()
    table = world.service.status().table
    world.authority.close()
    backup.restore()
    account = await recover(
        world.authority.storage, world.authority.keystore, world.settings, clock=world.authority.clock
    )
    assert (account.foreign, account.next_step, account.taken) == ((), NextStep.START, 1)
    assert world.service.status().table == table


async def test_recover_opens_the_epoch_of_a_list_that_answered_a_compromise_while_the_issuer_was_down(
    world: World, tmp_path: Path
) -> None:
    await world.start()
    await world.everything_is_published()
    await world.stop()
    thief = private_half(world, world.holder.active)
    listed = world.holder.signed(world.holder.compromised(thief.kid))
    backup = Backup(world.authority.url, tmp_path)
    own = KeySet.from_event(Envelope.parse(world.service.key_set()).event())
    forged = own.model_copy(update={"version": _LARGEST})
    await write(world.settings.kafka, world.topics.keys, (forged.key, forged.signed(ISSUER, thief)))
    await world.bring(listed)
    world.authority.close()
    backup.restore()
    account = await recover(
        world.authority.storage, world.authority.keystore, world.settings, clock=world.authority.clock
    )
    assert account.head == (2, 1) and account.next_step is NextStep.START
    await world.start()
    await world.publishing()
    world.service.rotate_key(actor="alice")
    assert await world.service.published(world.authority.block_one_more(), 10) == "published"
    await world.everyone_agrees()
