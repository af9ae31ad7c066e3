"""What a core takes to begin from, sans Kafka: a table at a place of the log, or a base for the rows that it holds."""

from dataclasses import replace
from pathlib import Path

import pytest

from revocast.schemas.errors import SchemaError
from revocast.sdk.base_file import BaseFile
from revocast.sdk.beginning import Beginning
from revocast.sdk.errors import TokenRevoked
from revocast.sdk.local_copy import Draft, Place
from revocast.sdk.packed import PackedBase
from revocast.sdk.settings import GuardSettings
from revocast.testing import Authority, Delivery, core_for


@pytest.fixture
def authority() -> Authority:
    authority = Authority()
    authority.block(authority.subject("mallory"))
    authority.checkpoint()
    return authority


@pytest.fixture
def reader(authority: Authority) -> Delivery:
    reader = Delivery(authority, core_for(authority))
    reader.deliver()
    return reader


def base_of(authority: Authority) -> PackedBase:
    return PackedBase.build(authority.table.pack())


def test_from_a_table_the_next_records_go_on_and_what_was_remembered_is_judged_anew(
    authority: Authority, reader: Delivery
) -> None:
    core = reader.core
    bob, carol = (authority.mint(sub=name, client_id=name) for name in ("bob", "carol"))
    for token in (bob, carol):
        core.verify(token, reader.now)
    assert core.recall(bob, *reader.now) is not None
    authority.block(authority.subject("bob"))
    core.begin(base_of(authority), authority.position, authority.log.end - 1, reader.now)
    assert core.applied_offset == authority.log.end - 1
    assert core.verifier.recall(bob, reader.now.wall) is None
    authority.block(authority.subject("carol"))
    authority.checkpoint()
    reader.deliver()
    for token in (bob, carol):
        with pytest.raises(TokenRevoked):
            core.verify(token, reader.now)
    assert core.table() == (authority.position, authority.table.pack())


def test_a_table_behind_or_of_another_epoch_changes_nothing(authority: Authority, reader: Delivery) -> None:
    core, position = reader.core, authority.position
    before = core.table()
    for wrong in (position, replace(position, n=position.n - 1), replace(position, epoch=2, n=99)):
        with pytest.raises(SchemaError):
            core.begin(PackedBase.build(), wrong, 99, reader.now)
    assert core.table() == before
    assert core.chain.position == position


def test_records_that_waited_for_the_table_are_applied_and_counted_behind_it(
    authority: Authority, reader: Delivery
) -> None:
    core = reader.core
    authority.block(authority.subject("bob"))
    place, base = authority.position, base_of(authority)
    lost = authority.log.drop(-1)
    authority.block(authority.subject("carol"))
    authority.checkpoint()
    reader.deliver()
    applied = core.counters["log.applied"]
    core.begin(base, place, lost.offset, reader.now)
    assert core.counters["log.applied"] == applied + 1
    assert core.table() == (authority.position, authority.table.pack())


@pytest.mark.parametrize(
    ("epoch", "n", "fits"),
    [(1, None, True), (2, None, False), (1, 99, False), (1, 0, False)],
    ids=["the same", "another epoch", "ahead", "older"],
)
def test_a_base_is_taken_for_the_rows_that_are_held_and_for_no_others(
    authority: Authority, reader: Delivery, epoch: int, n: int | None, fits: bool
) -> None:
    core, position = reader.core, authority.position
    core.adopt(base_of(authority), position)
    offered = replace(position, epoch=epoch, n=position.n if n is None else n)
    assert core.adopt(base_of(authority), offered) is fits
    assert core.table() == (position, authority.table.pack())


@pytest.mark.parametrize(
    ("written", "earlier", "origin"),
    [("", (), "local copy"), ("A" * 43, (), "log"), ("A" * 43, ("A" * 43,), "local copy")],
    ids=["the pinned root", "another root", "a root that an earlier run trusted"],
)
async def test_a_local_copy_of_a_root_that_was_never_trusted_is_not_used(
    authority: Authority, tmp_path: Path, written: str, earlier: tuple[str, ...], origin: str
) -> None:
    fresh = Delivery(authority, core_for(authority))
    for topic in list(fresh.logs)[:2]:
        fresh.feed(topic)
        fresh.core.caught_up(topic, fresh.core.ask(fresh.now), fresh.now)
    file = BaseFile(tmp_path / "guard.base", authority.issuer)
    write(file, Place(authority.issuer, written or authority.pin, authority.position, 1), base_of(authority))
    settings = GuardSettings.from_env(
        {}, issuer=authority.issuer, audience=authority.audience, kafka="localhost:1"
    )
    beginning = Beginning(settings, fresh.core, lambda: fresh.now, file, earlier)
    await beginning._take_file(file)
    assert beginning.origin == origin


def write(file: BaseFile, place: Place, base: PackedBase) -> None:
    draft = Draft(file.copy)
    rows = base.rows[:]
    draft.write(0, rows)
    draft.finish(len(base), bytes(base.index_bytes))
    draft.publish(place)
    draft.close()


def test_who_has_read_no_record_is_ready_from_a_table_and_goes_on(authority: Authority) -> None:
    reader = Delivery(authority, core_for(authority))
    for topic in list(reader.logs)[:2]:
        reader.feed(topic)
        reader.core.caught_up(topic, reader.core.ask(reader.now), reader.now)
    reader.core.begin(base_of(authority), authority.position, authority.log.end - 1, reader.now)
    authority.block(authority.subject("bob"))
    authority.checkpoint()
    reader.offsets[list(reader.logs)[2]] = authority.log.end - 1
    reader.deliver()
    assert reader.core.state == "ready"
    assert reader.core.table() == (authority.position, authority.table.pack())
