"""The state machine, with time that only a test moves. `rand` is 0: nothing is drawn, so every moment is exact."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revocast.schemas.jose import PrivateKey
from revocast.sdk.jwks import source as rules
from revocast.sdk.jwks.source import KeySource, Miss
from tests.sdk.jwks.key_sets import document

OUTAGE = 3600.0
KEY, OTHER, NEXT = (PrivateKey.generate() for _ in range(3))


class Played:
    """A source, and its clock."""

    def __init__(self, outage: float = OUTAGE, rand: float = 0.0) -> None:
        self.now = 1000.0
        self.source = KeySource(outage, self.now, lambda: rand)

    def take(self, *keys: PrivateKey, lifetime: float | None = None) -> bool:
        """A flight that brings these keys."""
        self.source.begin(self.now)
        return self.source.took(document(*keys), lifetime, self.now)

    def unchanged(self, lifetime: float | None = None) -> None:
        """A flight that says nothing has changed."""
        self.source.begin(self.now)
        self.source.unchanged(lifetime, self.now)

    def fail(self, why: str = "down") -> None:
        """A flight that brings nothing."""
        self.source.begin(self.now)
        self.source.failed(why, self.now)

    @property
    def kids(self) -> set[str]:
        return set(self.source.keys)

    def miss(self, kid: str) -> Miss:
        return self.source.missed(kid, self.now)

    @property
    def usable(self) -> bool:
        return self.source.usable(self.now)

    @property
    def warning(self) -> str:
        return "; ".join(self.source.warnings(self.now))


@pytest.fixture
def played() -> Played:
    return Played()


# --- refreshing ahead


def test_it_is_due_at_once_and_nothing_is_usable_before_the_first_set(played: Played) -> None:
    assert played.source.due == played.now
    assert not played.usable
    assert played.take(KEY)
    assert played.usable
    assert played.kids == {KEY.kid}


@pytest.mark.parametrize(
    ("lifetime", "fresh"),
    [(None, 300), (600, 600), (0, 60), (59, 60), (86400, 900), (0.0, 60), (60, 60), (900, 900)],
)
def test_a_set_is_fresh_as_it_says_within_bounds_and_is_fetched_before(
    played: Played, lifetime: float | None, fresh: float
) -> None:
    played.take(KEY, lifetime=lifetime)
    assert played.source.due == pytest.approx(played.now + 0.8 * fresh)
    assert played.source.health(played.now).usable_for == fresh + OUTAGE
    played.now = played.source.due
    played.unchanged(lifetime)
    assert played.source.due == pytest.approx(played.now + 0.8 * fresh)


@given(rand=st.floats(0, 1, exclude_max=True), lifetime=st.none() | st.floats(0, 1e6))
def test_guards_come_at_different_moments_all_before_the_set_is_out_of_date(
    rand: float, lifetime: float | None
) -> None:
    played = Played(rand=rand)
    played.take(KEY, lifetime=lifetime)
    usable_for = played.source.health(played.now).usable_for
    assert usable_for is not None
    fresh = usable_for - OUTAGE
    assert 0.6 * fresh <= played.source.due - played.now <= 0.8 * fresh + 1e-6


def test_there_is_one_flight_at_a_time(played: Played) -> None:
    played.source.begin(played.now)
    assert played.miss("new") is Miss.REFRESHING
    with pytest.raises(AssertionError):
        played.source.begin(played.now)


def test_the_same_keys_again_are_no_change(played: Played) -> None:
    played.take(KEY, OTHER)
    assert not played.take(OTHER, KEY)
    assert played.take(OTHER)


def test_a_flight_that_nobody_waits_for_is_begun_again(played: Played) -> None:
    played.source.begin(played.now)
    played.source.abandoned(played.now)
    assert played.source.due == played.now
    assert played.take(KEY)


# --- retrying, and outages


def test_failures_are_tried_again_ever_more_slowly_up_to_a_minute(played: Played) -> None:
    waits = []
    for _ in range(9):
        played.fail()
        waits.append(played.source.due - played.now)
        played.now = played.source.due
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    played.take(KEY)
    played.now = played.source.due
    played.fail()
    assert played.source.due - played.now == 1


def test_retries_have_jitter() -> None:
    played = Played(rand=0.5)
    played.fail()
    assert played.source.due - played.now == 0.75


def test_in_an_outage_keys_are_used_until_its_bound_and_not_a_moment_longer(played: Played) -> None:
    played.take(KEY, lifetime=300)
    out_of_date = played.now + 300
    played.now += 240
    played.fail("HTTP status 503")
    assert "stay in use for a while: HTTP status 503" in played.warning
    played.now = out_of_date + OUTAGE - 0.001
    assert played.usable
    played.now = out_of_date + OUTAGE
    assert not played.usable
    assert "tokens are refused: HTTP status 503" in played.warning
    played.unchanged()
    assert played.usable
    assert played.warning == ""


def test_without_tolerance_keys_end_with_their_set() -> None:
    played = Played(outage=0)
    played.take(KEY, lifetime=100)
    played.now += 100
    assert not played.usable


def test_a_source_that_flaps_stays_usable_and_says_so_only_while_it_is_down(played: Played) -> None:
    for _ in range(20):
        played.take(KEY)
        assert played.source.health(played.now).failures == 0
        played.now = played.source.due
        played.fail()
        played.now = played.source.due
        assert played.usable
        assert played.source.health(played.now).failures == 1


# --- unknown kids


def test_a_kid_that_is_not_there_pulls_the_refresh_ahead(played: Played) -> None:
    played.take(KEY)
    played.now += 10
    assert played.miss(NEXT.kid) is Miss.REFRESHING
    assert played.source.due == played.now
    assert played.take(KEY, NEXT)
    assert played.kids == {KEY.kid, NEXT.kid}


def test_made_up_kids_cause_two_refreshes_at_once_and_two_more_a_minute(played: Played) -> None:
    played.take(KEY)
    refreshes, began = 0, played.now
    while played.now < began + 600:
        for n in range(20):
            played.miss(f"{played.now}-{n}")
        if played.source.due <= played.now:
            refreshes += 1
            played.take(KEY, lifetime=900)
        played.now += 1
    assert refreshes <= rules.AT_ONCE + 600 / rules.EVERY


def test_too_many_misses_are_told_when_to_come_back(played: Played) -> None:
    played.take(KEY)
    for n in range(rules.AT_ONCE):
        assert played.miss(f"kid-{n}") is Miss.REFRESHING
        assert played.source.retry_after(played.now) == 0
        played.take(KEY)
    assert played.miss("another") is Miss.NOT_NOW
    assert played.source.retry_after(played.now) == rules.EVERY
    played.now += rules.EVERY
    assert played.miss("another") is Miss.REFRESHING


def test_a_kid_that_a_flight_did_not_bring_is_absent_for_a_while(played: Played) -> None:
    played.take(KEY)
    played.miss("nobodys")
    played.take(KEY)
    assert played.miss("nobodys") is Miss.ABSENT
    played.now += rules.ABSENT_FOR
    assert played.miss("nobodys") is Miss.REFRESHING
    played.unchanged()
    assert played.miss("nobodys") is Miss.ABSENT


def test_a_kid_that_was_missed_while_a_flight_was_under_way_is_not_called_absent(played: Played) -> None:
    played.take(KEY)
    played.source.begin(played.now)
    assert (
        played.miss(NEXT.kid) is Miss.REFRESHING
    )  # its key may have come a moment after the set was written
    played.source.took(document(KEY), None, played.now)
    assert played.miss(NEXT.kid) is Miss.REFRESHING


def test_a_kid_that_was_absent_is_found_as_soon_as_any_refresh_brings_it(played: Played) -> None:
    played.take(KEY)
    played.miss(NEXT.kid)
    played.take(KEY)
    assert played.miss(NEXT.kid) is Miss.ABSENT
    played.now = played.source.due
    played.take(KEY, NEXT)
    assert NEXT.kid in played.kids


def test_an_unknown_kid_does_not_hurry_a_source_that_fails(played: Played) -> None:
    played.take(KEY)
    played.now = played.source.due
    played.fail()
    due = played.source.due
    assert played.miss("new") is Miss.NOT_NOW
    assert played.source.due == due
    assert played.source.retry_after(played.now) == 1


def test_what_strangers_make_up_takes_bounded_memory(played: Played) -> None:
    played.take(KEY)
    for n in range(5000):
        played.miss(f"{n}-a")
        played.miss(f"{n}-b")
        played.take(KEY)
        played.now += rules.EVERY
    source = played.source
    assert len(source._absent) <= 1024
    assert len(source._asked) <= 256
    for n in range(1000):
        source.missed(f"more-{n}", played.now)
    assert len(source._asked) <= 256


# --- whose word counts


def test_a_key_that_its_issuer_does_not_name_any_more_is_gone_at_once(played: Played) -> None:
    played.take(KEY, OTHER)
    assert played.take(OTHER)
    assert played.kids == {OTHER.kid}


def test_a_set_without_a_key_for_tokens_leaves_none_and_says_so(played: Played) -> None:
    played.take(KEY)
    assert played.take()
    assert played.kids == set()
    assert played.usable
    assert "holds no key" in played.warning


def test_a_kid_that_comes_with_new_material_keeps_the_old_key(played: Played) -> None:
    played.take(KEY)
    imposter = PrivateKey.generate(kid=KEY.kid)
    assert not played.take(imposter)
    assert played.source.keys[KEY.kid].jwk == KEY.public.jwk
    assert "came under a kid that was another key's" in played.warning
    assert played.source.health(played.now).changed == 1
    assert not played.take(KEY)
    assert played.warning == ""


def test_a_kid_that_left_and_came_back_with_new_material_is_refused(played: Played) -> None:
    played.take(KEY, OTHER)
    played.take(OTHER)
    played.take(PrivateKey.generate(kid=KEY.kid), OTHER)
    assert played.kids == {OTHER.kid}
    played.take(KEY, OTHER)
    assert played.kids == {KEY.kid, OTHER.kid}


def test_keys_in_use_stay_pinned_however_many_kids_come_and_go(played: Played) -> None:
    played.take(KEY)
    for n in range(1100):
        played.take(KEY, PrivateKey.generate(kid=f"passing-{n}"))
    assert len(played.source._pins) <= 1024
    played.take(PrivateKey.generate(kid=KEY.kid))
    assert played.source.keys[KEY.kid].jwk == KEY.public.jwk


# --- saying how it stands


def test_its_health_is_told(played: Played) -> None:
    health = played.source.health(played.now)
    assert (health.usable, health.keys, health.age, health.usable_for) == (False, 0, None, None)
    played.take(KEY, lifetime=100)
    played.now += 90
    played.fail("no answer in time")
    health = played.source.health(played.now)
    assert (health.usable, health.keys, health.age, health.next_refresh) == (True, 1, 90, 1)
    assert (health.usable_for, health.failures, health.last_error) == (OUTAGE + 10, 1, "no answer in time")
