import pytest

from revocast.sdk.jwks.caching import freshness_lifetime


@pytest.mark.parametrize(
    ("cache_control", "age", "seconds"),
    [
        ("", "", None),
        ("public", "", None),
        ("max-age=600", "", 600),
        ("public, MAX-AGE=600, must-revalidate", "", 600),
        ('max-age="600"', "", 600),
        ("max-age=600", "100", 500),
        ("max-age=600", "700", 0),
        ("max-age=600", "soon", 600),
        ("max-age=-1", "", 0),
        ("max-age=", "", 0),
        ("max-age=1e9", "", 0),
        ("max-age=600, max-age=60", "", 0),
        ("no-store, max-age=600", "", 0),
        ("no-cache", "", 0),
        ("s-maxage=600", "", None),
    ],
)
def test_an_answer_is_fresh_as_long_as_it_says(cache_control: str, age: str, seconds: float | None) -> None:
    assert freshness_lifetime(cache_control, age) == seconds
