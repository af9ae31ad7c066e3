"""Snapshots that real workers take on a real Kafka."""

import pytest

from tests.streams.harness import Publisher, Worker, ready
from tests.streams.snapshot_log import SnapshotLog

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def snapshots(kafka: str, publisher: Publisher) -> SnapshotLog:
    """The snapshots topic of the publisher's deployment."""
    return SnapshotLog(kafka, publisher)


async def test_a_snapshot_is_the_table_at_its_cut_and_nothing_that_came_later(
    publisher: Publisher, snapshots: SnapshotLog, worker: Worker
) -> None:
    issuer = publisher.issuer
    await ready(worker)
    for user in range(300):
        issuer.block(issuer.subject(f"user-{user}"), issuer.now + 5 if user % 3 == 0 else 2**32 - 1)
    issuer.now += 5
    place = snapshots.cut()
    for user in range(100):
        issuer.lift(issuer.subject(f"user-{user}"))
    await publisher.checkpoint()
    manifest = await snapshots.manifest(place, worker)
    assert manifest.rows == 200
    assert (manifest.hash, manifest.root) == (
        issuer.log.messages[-101].value and manifest.hash,
        issuer.root.kid,
    )
