import pytest

from revocast.cli.errors import Misused
from revocast.cli.times import parse_time, show_time

NOW = 1_800_000_000.7


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1700000000", 1_700_000_000),
        ("2026-11-24T17:00:00Z", 1_795_539_600),
        ("2026-11-24T18:00:00+01:00", 1_795_539_600),
        ("-10m", 1_799_999_400),
        ("+2d", 1_800_172_800),
    ],
)
def test_a_time_is_seconds_iso_8601_or_an_offset_from_now(text: str, seconds: int) -> None:
    assert parse_time(text, NOW) == seconds


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-24T17:00:00", "17:00", "+2y", "١٢٣", "1e9"])
def test_anything_else_and_a_time_without_an_offset_is_refused(text: str) -> None:
    with pytest.raises(Misused) as refused:
        parse_time(text, NOW)
    assert "2026-11-24T17:00:00Z" in refused.value.hint


def test_times_are_shown_in_utc() -> None:
    assert show_time(1_795_539_600) == "2026-11-24 17:00:00Z"
    assert show_time(None) == "never"
