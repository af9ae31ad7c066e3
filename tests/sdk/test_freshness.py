import pytest

from revocast.sdk.clock import Instant
from revocast.sdk.freshness import TRANSITIONS, Finding, Freshness, Limits, State, Topic

T = 1_800_000_000


def at(seconds: float, wall: float | None = None) -> Instant:
    return Instant(T + (seconds if wall is None else wall), 1000 + seconds)


@pytest.fixture
def fresh() -> Freshness:
    """Ready at 0, with a checkpoint of that second."""
    freshness = Freshness(Limits(link_age=60, authority_age=3600))
    for topic in Topic:
        freshness.saw_end(topic, at(0))
    freshness.saw_authority(T, at(0))
    freshness.evaluate([], at(0))
    assert freshness.state is State.READY
    return freshness


def test_the_table_has_an_answer_to_every_finding_in_every_state() -> None:
    assert set(TRANSITIONS) == set(State)
    assert all(set(row) == set(Finding) for row in TRANSITIONS.values())


def test_starting_ends_only_in_ready_or_closed_and_closed_never_ends() -> None:
    assert set(TRANSITIONS[State.STARTING].values()) == {State.STARTING, State.READY, State.CLOSED}
    assert set(TRANSITIONS[State.CLOSED].values()) == {State.CLOSED}
    assert State.STARTING not in {
        after for state in State if state is not State.STARTING for after in TRANSITIONS[state].values()
    }


def test_it_starts_only_once_every_topic_was_read_to_its_end() -> None:
    freshness = Freshness(Limits())
    freshness.saw_authority(T, at(0))
    for topic in Topic:
        assert freshness.evaluate([], at(0)) is None
        assert freshness.state is State.STARTING
        freshness.saw_end(topic, at(0))
    transition = freshness.evaluate([], at(0))
    assert transition is not None
    assert (transition.before, transition.after) == (State.STARTING, State.READY)


def test_the_link_ages_from_when_the_offset_was_asked(fresh: Freshness) -> None:
    fresh.saw_end(Topic.LOG, at(50))
    fresh.saw_end(Topic.KEYS, at(50))
    assert fresh.link_age(at(60)) == 60  # checkpoints were last at their end at 0
    fresh.saw_end(Topic.CHECKPOINTS, at(40))
    assert fresh.link_age(at(60)) == 20


def test_a_late_answer_makes_nothing_older(fresh: Freshness) -> None:
    for topic in Topic:
        fresh.saw_end(topic, at(30))
        fresh.saw_end(topic, at(10))
    assert fresh.link_age(at(30)) == 0


def test_a_silent_link_is_stale_and_a_word_from_it_mends_that(fresh: Freshness) -> None:
    assert fresh.evaluate([], at(60)) is None
    transition = fresh.evaluate([], at(61))
    assert transition is not None
    assert transition.after is State.STALE
    assert "Kafka" in transition.reason
    for topic in Topic:
        fresh.saw_end(topic, at(62))
    fresh.evaluate([], at(62))
    assert fresh.state is State.READY


def test_who_is_flawed_is_incomplete_however_young_or_old(fresh: Freshness) -> None:
    fresh.evaluate(["record 7 of the log is missing"], at(1))
    assert fresh.state is State.INCOMPLETE
    assert fresh.reason == "record 7 of the log is missing"
    fresh.evaluate(["record 7 of the log is missing"], at(100))
    assert fresh.state is State.INCOMPLETE
    fresh.evaluate([], at(100))
    assert fresh.state is State.STALE


def test_a_freeze_shows_whatever_the_own_clock_says(fresh: Freshness) -> None:
    keep_link(fresh, 4000)
    assert fresh.authority_age(at(4000, wall=0)) == 4000  # the wall clock stands still
    fresh.evaluate([], at(4000, wall=0))
    assert fresh.state is State.STALE


def test_old_checkpoints_handed_out_anew_do_not_hide_a_freeze(fresh: Freshness) -> None:
    keep_link(fresh, 4000)
    fresh.saw_authority(T, at(3999))
    assert fresh.authority_age(at(4000, wall=0)) == 4000


def test_a_clock_that_jumps_ahead_sees_old_authority(fresh: Freshness) -> None:
    assert fresh.authority_age(at(1, wall=7200)) == 7200
    assert not fresh.holds(at(1, wall=7200))


def test_a_clock_that_steps_back_changes_nothing(fresh: Freshness) -> None:
    assert fresh.authority_age(at(10, wall=-500)) == 10
    assert fresh.holds(at(10, wall=-500))


def test_a_request_sees_that_time_has_run_out_though_nobody_evaluated(fresh: Freshness) -> None:
    assert fresh.holds(at(60))
    assert not fresh.holds(at(60.1))
    keep_link(fresh, 3600)
    fresh.evaluate([], at(3590))
    assert fresh.holds(at(3600))
    assert not fresh.holds(at(3600.1))


def test_an_expired_list_is_as_good_as_no_link(fresh: Freshness) -> None:
    fresh.saw_list(T + 30)
    fresh.evaluate([], at(1))
    assert fresh.holds(at(29.9))
    assert not fresh.holds(at(30))  # nobody needs to evaluate: a request sees it
    transition = fresh.evaluate([], at(30))
    assert transition is not None
    assert transition.after is State.STALE
    assert "the delegation list has expired" in transition.reason
    fresh.saw_list(T + 3600)
    fresh.evaluate([], at(31))
    assert fresh.holds(at(60))


def test_a_guard_does_not_start_on_an_expired_list() -> None:
    freshness = Freshness(Limits())
    freshness.saw_list(T)
    for topic in Topic:
        freshness.saw_end(topic, at(0))
    freshness.saw_authority(T, at(0))
    freshness.evaluate([], at(0))
    assert freshness.state is State.STARTING
    assert "has expired" in freshness.reason


def test_closed_is_for_good(fresh: Freshness) -> None:
    assert fresh.close(at(1)) is not None
    assert fresh.evaluate([], at(1)) is None
    assert fresh.state is State.CLOSED
    assert not fresh.holds(at(1))


def keep_link(freshness: Freshness, seconds: float) -> None:
    for topic in Topic:
        freshness.saw_end(topic, at(seconds))
