"""A simulated year on a real Kafka. With a step every day: `python -m tests.integration.year`."""

from pathlib import Path

import pytest

from revocast.issuer.relay import upkeep
from revocast.schemas.topics import FRAME_PARTITIONS, Topics
from tests.integration.year.deployment import running
from tests.integration.year.simulation import DAY, Plan, Year
from tests.integration.year.sizes import largest

pytestmark = pytest.mark.long

_LOG_AGE = 7 * DAY


@pytest.mark.timeout(300)
async def test_after_a_year_of_churn_everything_is_as_large_as_what_is_alive(
    kafka: str, topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "_EVERY_S", 0.05)
    monkeypatch.setattr(upkeep, "_TRUNCATE_EVERY_S", 0.2)
    plan = Plan(step=15 * DAY, steps=24, rows=100, visit=3)
    async with running(kafka, topics, tmp_path, cut_s=2 * DAY, log_age_s=_LOG_AGE) as deployment:
        year = Year(deployment, plan)
        async for _ in year.run():
            pass
    assert year.compared >= 2 * (plan.steps // plan.visit)
    assert year.lost_cuts <= 1  # the one that is waited for when the delegation list is renewed
    assert year.origins["snapshot"] > 0
    early, late = largest(year.sizes[:3]), largest(year.sizes[3:])
    assert late.live_rows <= 1.2 * early.live_rows
    assert late.log <= 1.5 * early.log
    assert late.database_records <= 1.5 * early.database_records
    # Two snapshots are kept; one is being taken, one is being compared, and one is not reclaimed yet.
    assert late.chunks <= 5 * FRAME_PARTITIONS
    assert late.manifests <= 5
    assert late.keys <= 80
    assert late.database_documents <= 80
    assert late.local_copy <= 1.5 * early.local_copy
