"""Cuts and countersignatures on real Kafka, SQLite and PostgreSQL: three who computed it apart hold the same bytes."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import groupby

import pytest

from revocast.issuer.authority.cutting import CutRule
from revocast.issuer.authority.revocations import Revocation
from revocast.issuer.authority.snapshots import Snapshot
from revocast.issuer.relay import Relay, UpkeepRules, upkeep
from revocast.issuer.snapshotting import Cut, CutDesk
from revocast.issuer.storage.snapshots import snapshots_in
from revocast.issuer.trust_desk import TrustDesk
from revocast.schemas.audit import AuditType
from revocast.schemas.chunks import cut_chunks
from revocast.schemas.jose import PrivateKey
from revocast.schemas.row import Row, Slot, pack_rows
from revocast.schemas.selector import Selector
from revocast.schemas.snapshot import read_countersigned
from revocast.schemas.table import Table
from revocast.schemas.topics import Topics
from revocast.schemas.trust import Trust
from tests.issuer.core.authority import ISSUER, Authority, T
from tests.issuer.core.reader import read, read_audit, until, write
from tests.issuer.core.root_holder import RootHolder
from tests.issuer.core.streams import Streams

Start = Callable[..., Awaitable[Relay]]


sqlite_alone = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture
def start(start: Start, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Relays that cut after so many records, in a hurry."""
    monkeypatch.setattr(upkeep, "_EVERY_S", 0.05)
    return lambda records=5: start(rules=UpkeepRules(CutRule(records, 10**9)))


@pytest.fixture
async def streams(authority: Authority, kafka: str, topics: Topics) -> Streams:
    """What streams do, by hand."""
    return Streams(authority, kafka, topics)


def snapshots(authority: Authority) -> list[Snapshot]:
    with authority.storage.read() as session:
        return snapshots_in(session)


def states(authority: Authority) -> list[str]:
    return [str(each.state) for each in snapshots(authority)]


async def cut_published(authority: Authority) -> Snapshot:
    """Revoke until a cut was taken, and wait until Kafka has it."""
    before = len(snapshots(authority))
    for _ in range(8):
        authority.block_one_more()
    await until(lambda: len(snapshots(authority)) > before, "a cut was taken")
    cut = snapshots(authority)[-1]
    await until(lambda: authority.service.status().published_n >= cut.n, "it is published")
    return cut


def take(authority: Authority) -> Cut:
    authority.service.ask_for_snapshot()
    cut = CutDesk(authority.storage, authority.publication, authority.clock, CutRule(10**9, 10**9)).take()
    assert cut is not None
    return cut


def derived(cut: Cut) -> tuple[bytes, list[tuple[bytes, int, int, int]]]:
    """The issuer's own bytes, and its chunks."""
    found = cut.derive(lambda: None)
    try:
        packed = found.rows_at(0, found.table.rows + 1)
        return packed, [(each.sha256, each.rows, each.first, each.last) for each in found.table.chunks]
    finally:
        found.forget()


def test_a_cut_under_concurrent_writes_is_exactly_the_table_at_its_record(authority: Authority) -> None:
    """Three ways: the database's read snapshot, the log's own rule, and rows sorted and packed by hand."""
    stop = threading.Event()

    def churn(worker: int) -> None:
        number = 0
        while not stop.is_set():
            subject, number = f"user-{worker}-{number % 7}", number + 1
            if number % 5 == 0:
                authority.lift("subject", subject, slot=Slot.BLOCK)
            else:
                authority.block("subject", subject, expires_at=T + 20 + number % 40)
            authority.clock.now += 0.2

    threads = [threading.Thread(target=churn, args=(worker,)) for worker in range(3)]
    for thread in threads:
        thread.start()
    try:
        cuts = [take(authority) for _ in range(6)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    table, tables = Table(), {}
    for entry in authority.service.log(0, 100_000):
        table.apply(entry.rows, entry.t)
        tables[entry.n] = (table.pack(), sorted(table, key=lambda row: row.key))
    for cut in cuts:
        from_log, rows = tables[cut.position.n]
        packed, chunks = derived(cut)
        assert packed == from_log == b"".join(row.pack() for row in rows)
        by_hand = cut_chunks(
            (bucket, pack_rows(same))
            for bucket, same in groupby(rows, key=lambda row: int.from_bytes(row.fingerprint[:2], "big"))
        )
        assert chunks == [(each.sha256, each.count, each.first, each.last) for each in by_hand]
    assert len({cut.position.n for cut in cuts}) == 6


def test_rows_that_expire_at_the_cut_itself_are_not_in_it(authority: Authority) -> None:
    authority.block("subject", "alice", expires_at=T + 10)
    authority.block("subject", "bob", expires_at=T + 11)
    authority.clock.now = T + 10
    packed, _ = derived(take(authority))
    assert len(packed) == 20 and packed == authority.service.status().table


def test_no_cut_is_taken_while_a_live_set_is_being_reissued(authority: Authority) -> None:
    for _ in range(3):
        authority.block_one_more()
    holder = RootHolder(authority)
    authority.service.ask_for_snapshot()
    parts = (authority.storage, authority.keystore, authority.publication, authority.clock)
    TrustDesk(*parts, rows_a_step=1).adopt(holder.signed(holder.new_epoch()), actor="alice")
    desk = CutDesk(authority.storage, authority.publication, authority.clock, CutRule(1, 1))
    assert not desk.is_due() and desk.take() is None


async def test_a_snapshot_that_both_sides_hold_is_countersigned_under_the_manifests_key(
    authority: Authority, start: Start, streams: Streams
) -> None:
    await start()
    await cut_published(authority)
    manifest, packed = await streams.write_snapshot()
    await until(lambda: states(authority) == ["countersigned"], "it was countersigned")
    newest = [
        each for each in await read(streams.kafka, streams.topics.snapshots) if each.key == manifest.key
    ]
    trust = Trust(ISSUER, authority.terms.root)
    trust.receive(authority.service.delegations(), 0)
    assert read_countersigned(newest[-1].value or b"", trust) == manifest
    assert len(packed) == 20 * manifest.rows == 20 * (snapshots(authority)[0].rows or 0)
    assert not authority.service.warnings()


async def test_another_table_is_an_alarm_that_names_the_first_row_that_differs(
    authority: Authority, start: Start, streams: Streams
) -> None:
    await start()
    await cut_published(authority)
    lost: list[Row] = []

    def lose(rows: list[Row]) -> list[Row]:
        lost.append(rows[2])
        return rows[:2] + rows[3:]

    manifest, _ = await streams.write_snapshot(lose)
    await until(lambda: states(authority) == ["differs"], "an alarm was raised")
    (snapshot,) = snapshots(authority)
    assert snapshot.problem is not None
    assert snapshot.problem.startswith(f"row 2: the issuer has {lost[0].fingerprint.hex()} (kind 0")
    assert snapshot.problem.endswith("streams have none")
    (warning,) = authority.service.warnings()
    assert snapshot.problem in warning
    await until(lambda: authority.service.status().audit_backlog == 0, "the audit is out")
    events = await read_audit(streams.kafka, streams.topics)
    (alarm,) = (event for event in events if event.type == AuditType.SNAPSHOT_DIFFERS)
    assert alarm.subject == f"snapshot/1/{snapshot.n}" and alarm.data["difference"] == snapshot.problem
    held = [each for each in await read(streams.kafka, streams.topics.snapshots) if each.key == manifest.key]
    assert len(held) == 1, "nobody countersigned it"
    await cut_published(authority)
    await streams.write_snapshot()
    await until(lambda: states(authority) == ["differs", "countersigned"], "the next one is whole")
    assert not authority.service.warnings()


@sqlite_alone
async def test_a_row_that_streams_hold_otherwise_or_too_many_is_named(
    authority: Authority, start: Start, streams: Streams
) -> None:
    await start()
    await cut_published(authority)
    await streams.write_snapshot(lambda rows: [*rows[:3], replace(rows[3], expires_at=T + 99), *rows[4:]])
    await until(lambda: states(authority) == ["differs"], "an alarm was raised")
    problem = snapshots(authority)[0].problem or ""
    assert problem.startswith("row 3: ") and "streams have" in problem and f"ends {T + 99})" in problem
    await cut_published(authority)
    stranger = Row.for_block(b"\xff" * 11, 3, T + 5000)
    manifest, _ = await streams.write_snapshot(lambda rows: [*rows, stranger])
    await until(lambda: states(authority) == ["differs", "differs"], "another one")
    problem = snapshots(authority)[1].problem or ""
    assert problem.startswith(
        f"row {manifest.rows - 1}: the issuer has none, streams have {'ff' * 11} (kind 3"
    )


@sqlite_alone
async def test_a_manifest_that_no_snapshot_key_signed_is_logged_and_changes_nothing(
    authority: Authority, start: Start, streams: Streams, caplog: pytest.LogCaptureFixture
) -> None:
    await start()
    await cut_published(authority)
    manifest, _ = await streams.write_snapshot(lambda rows: rows[1:], key=PrivateKey.generate("EdDSA"))
    await write(streams.kafka, streams.topics.snapshots, (manifest.key, b"junk"), (manifest.key, None))
    await until(lambda: "no snapshot key in force signed" in caplog.text, "it says so")
    await streams.write_snapshot()
    await until(lambda: states(authority) == ["countersigned"], "the true one was countersigned")


@sqlite_alone
async def test_a_cut_whose_process_ended_is_never_countersigned_and_the_next_one_is(
    authority: Authority, start: Start, streams: Streams
) -> None:
    relay = await start()
    await cut_published(authority)
    await relay.stop()
    await start()
    await streams.write_snapshot()
    await cut_published(authority)
    await streams.write_snapshot()
    await until(lambda: states(authority) == ["cut", "countersigned"], "the second was countersigned")


@sqlite_alone
async def test_an_operator_has_one_cut_by_whichever_process_publishes(
    authority: Authority, start: Start, streams: Streams
) -> None:
    await start(records=10**9)
    other, _ = authority.other()
    other.ask_for_snapshot()
    await until(lambda: states(authority) == ["cut"], "a cut was taken")
    await until(lambda: authority.service.status().published_n == 2, "it is published")
    await streams.write_snapshot()
    await until(lambda: states(authority) == ["countersigned"], "an empty table is a table, too")
    assert not other.snapshots().asked


async def test_revocations_go_on_while_a_table_is_derived(authority: Authority) -> None:
    """The read snapshot stands still, and holds up nobody."""
    for _ in range(50):
        authority.block_one_more()
    cut = take(authority)
    await asyncio.to_thread(authority.block_one_more)
    revocation = Revocation(Selector.subject(ISSUER, "late"), Slot.BLOCK)
    await asyncio.to_thread(authority.revoke, revocation)
    packed, _ = derived(cut)
    assert len(packed) == 50 * 20
