"""Cuts and countersignatures on real Kafka, SQLite and PostgreSQL: three who computed it apart hold the same bytes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from itertools import groupby

import pytest

from revocast.issuer.authority.cutting import CutRule
from revocast.issuer.authority.revocations import Revocation
from revocast.issuer.authority.snapshots import Snapshot, SnapshotState
from revocast.issuer.relay import Relay, UpkeepRules
from revocast.issuer.snapshotting import Cut, CutDesk
from revocast.issuer.storage.snapshots import snapshots_in
from revocast.schemas.audit import AuditType
from revocast.schemas.chunks import cut_chunks
from revocast.schemas.jose import PrivateKey
from revocast.schemas.row import Row, Slot, pack_rows
from revocast.schemas.selector import Selector
from revocast.schemas.settings import KafkaSettings
from revocast.schemas.snapshot import read_countersigned
from revocast.schemas.topics import Topics
from revocast.schemas.trust import Trust
from tests.issuer.core.authority import ISSUER, Authority, model_of
from tests.issuer.core.reader import read, read_audit, until
from tests.issuer.core.streams import Streams

Start = Callable[..., Awaitable[Relay]]
NO_RULE = CutRule(10**9, 10**9)


@pytest.fixture
async def start(authority: Authority, kafka: str, topics: Topics) -> AsyncIterator[Start]:
    """Starts relays of the test's authority and stops them at its end."""
    started: list[Relay] = []

    async def start(records: int = 5, log_age: int = 7 * 86_400) -> Relay:
        rules = UpkeepRules(CutRule(records, 10**9), log_age)
        relay = authority.relay(KafkaSettings(kafka=kafka, prefix=topics.prefix), rules=rules)
        started.append(relay)
        await relay.start()
        return relay

    yield start
    for relay in started:
        await relay.stop()


def snapshots(authority: Authority) -> list[Snapshot]:
    with authority.storage.read() as session:
        return snapshots_in(session)


def states(authority: Authority) -> list[SnapshotState]:
    return [each.state for each in snapshots(authority)]


def taken(authority: Authority, rule: CutRule = NO_RULE) -> Cut | None:
    return CutDesk(authority.storage, authority.publication, authority.clock, rule).take()


def derived_bytes(cut: Cut) -> bytes:
    derived = cut.derive(lambda: None)
    try:
        return derived.rows_at(0, derived.table.rows + 1)
    finally:
        derived.forget()


async def test_a_snapshot_that_both_sides_hold_is_countersigned_under_the_manifests_key(
    authority: Authority, start: Start, kafka: str, topics: Topics
) -> None:
    await start(records=5)
    for number in range(8):
        authority.block("subject", f"user-{number}")
    await until(lambda: states(authority) == ["cut"], "a cut was taken")
    (cut,) = snapshots(authority)
    await until(lambda: authority.service.status().published_n >= cut.n, "it is published")
    streams = Streams(authority, kafka, topics)
    manifest, packed = await streams.write_snapshot()
    await until(lambda: states(authority) == ["countersigned"], "it was countersigned")
    newest = [record for record in await read(kafka, topics.snapshots) if record.key == manifest.key][-1]
    trust = Trust(ISSUER, authority.terms.root)
    trust.receive(authority.service.delegations(), 0)
    assert read_countersigned(newest.value or b"", trust) == manifest
    assert len(packed) == 20 * manifest.rows == 20 * (snapshots(authority)[0].rows or 0)
