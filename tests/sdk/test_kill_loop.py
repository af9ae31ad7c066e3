"""`python -m tests.sdk.kill_loop` for longer."""

from pathlib import Path

import pytest

from tests.sdk.kill_loop import kill_loop

pytestmark = pytest.mark.long


@pytest.mark.timeout(180)
async def test_a_guard_that_is_killed_at_random_moments_leaves_nothing_damaged_and_loses_nothing(
    kafka: str, tmp_path: Path
) -> None:
    figures = await kill_loop(kafka, tmp_path, kills=12)
    assert (figures.damaged, figures.wrong) == ([], [])
    assert figures.kills == 12
    assert figures.files > 0
    assert figures.words > figures.kills
    assert figures.began["local copy"] > 0
