"""The ladder by which a reader gets well again, and what takes over from what. Time is set by hand."""

import itertools
import random
from typing import ClassVar

import pytest

from revocast.schemas.events import EventBody
from revocast.schemas.record import Record
from revocast.sdk.backoff import Backoff
from revocast.sdk.core import Received
from revocast.sdk.errors import GuardIncomplete, TokenRevoked
from revocast.sdk.freshness import Limits, State, Topic, Transition
from revocast.sdk.recovery import ANEW_SECONDS, STEADY_SECONDS, Cure, Recovery, Step
from revocast.testing import Authority, Delivery, core_for
from revocast.testing.memory_log import Message


def steps(cure: Cure, seconds: float, recovery: Recovery, step: float = 0.1) -> list[tuple[float, Step]]:
    """What is done about a flaw that stays, and when."""
    done, now = [], 0.0
    while now < seconds:
        if due := recovery.due(cure, now):
            recovery.begun()
            done.append((now, due))
        now += step
    return done


# --- the ladder


def test_missing_records_are_read_again_from_n_then_from_the_beginning_then_everything_anew() -> None:
    done = [step for _, step in steps(Cure.REREAD, 3600, Recovery())]
    assert done[:3] == [Step.FROM_N, Step.FROM_BEGINNING, Step.ANEW]
    assert set(done[3:]) == {Step.ANEW}


def test_another_history_is_only_healed_by_reading_anew() -> None:
    assert {step for _, step in steps(Cure.ANEW, 3600, Recovery())} == {Step.ANEW}


def test_what_needs_an_upgrade_or_time_is_left_alone() -> None:
    assert steps(Cure.NOTHING, 3600, Recovery()) == []


def test_what_does_not_help_is_tried_ever_more_rarely() -> None:
    done = [at for at, _ in steps(Cure.ANEW, 24 * 3600, Recovery(rand=lambda: 0.0), step=1)]
    waits = [after - before for before, after in itertools.pairwise(done)]
    assert waits == sorted(waits)
    assert ANEW_SECONDS[1] <= waits[-1] <= ANEW_SECONDS[1] + 1


def test_only_lasting_health_begins_at_the_foot_again() -> None:
    recovery = Recovery(rand=lambda: 0.0)
    assert [step for _, step in steps(Cure.REREAD, 10, recovery)] == [Step.FROM_N, Step.FROM_BEGINNING]
    recovery.ready(11)
    recovery.ready(10 + STEADY_SECONDS)
    assert recovery.due(Cure.REREAD, 12 + STEADY_SECONDS) is None  # planned: reading anew, and not at once
    recovery.ready(100)
    recovery.ready(100 + STEADY_SECONDS)
    recovery.due(Cure.REREAD, 200)
    assert recovery.due(Cure.REREAD, 201.1) is Step.FROM_N


@pytest.mark.parametrize(("cure", "seconds"), [(Cure.REREAD, 1.0), (Cure.ANEW, ANEW_SECONDS[0])])
def test_a_fleet_that_fell_ill_in_one_moment_does_not_come_at_one_moment(cure: Cure, seconds: float) -> None:
    rand = random.Random(4)
    fleet = [Recovery(rand=rand.random) for _ in range(1000)]
    first = [at for guard in fleet for at, _ in steps(cure, seconds + 0.1, guard, step=seconds / 100)[:1]]
    assert len(first) == 1000
    tenths = [sum(1 for at in first if n <= 10 * at / seconds < n + 1) for n in range(10)]
    assert max(tenths) < 150  # evenly, over the whole of the wait: a tenth of the fleet in each tenth of it
    assert min(tenths) > 60


def test_full_jitter_is_anything_up_to_the_delay_and_half_by_default() -> None:
    assert Backoff(8, 60, jitter=1, rand=lambda: 1.0).next() == 0
    assert Backoff(8, 60, jitter=1, rand=lambda: 0.0).next() == 8
    assert Backoff(8, 60, rand=lambda: 1.0).next() == 4


# --- which flaw is healed by what


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def old(authority: Authority) -> Delivery:
    delivery = Delivery(authority, core_for(authority))
    delivery.deliver()
    return delivery


def forked(old: Delivery) -> str:
    """The core applies a record that the log then loses to another one; the token is revoked on the branch that stays."""
    authority = old.authority
    token = authority.mint(sub="bob")
    stays = authority.sign_next((authority.block_row(authority.subject("bob")),))
    _, lost = authority.sign_next((authority.block_row(authority.subject("carol")),))
    old.core.receive(Topic.LOG, [Received(authority.log.end, lost)], old.now)
    old.offsets[Topic.LOG] = authority.log.end + 1
    authority.block(authority.subject("bob"))  # the same record as `stays`
    assert authority.log.messages[-1].value is not None
    assert stays[0].n == authority.position.n
    authority.block(authority.subject("dave"))
    authority.checkpoint()
    old.deliver()
    return token


def test_a_gap_is_a_case_for_reading_again(old: Delivery) -> None:
    authority = old.authority
    authority.block(authority.subject("bob"))
    authority.log.drop(-1)
    authority.block(authority.subject("carol"))
    old.deliver()
    authority.now += 2
    old.deliver()
    assert old.core.cure(old.now) is Cure.REREAD


class Later(EventBody):
    """What a later version may sign."""

    TYPE: ClassVar[str] = "urn:revocast:event:later:1"
    TOPIC: ClassVar[str] = Record.TOPIC

    @property
    def jti(self) -> str:
        return "later/1"

    @property
    def key(self) -> bytes:
        return b"later"


def test_an_upgrade_that_is_needed_is_said_and_nothing_is_tried(old: Delivery) -> None:
    authority = old.authority
    authority.log.append(b"later", authority.sign(Later(t=authority.now)))
    old.deliver()
    assert old.core.state is State.INCOMPLETE
    assert "upgrade" in old.core.freshness.reason
    assert old.core.cure(old.now) is Cure.NOTHING
    authority.append()
    authority.log.drop(-1)
    authority.append()
    for _ in range(2):
        authority.now += 2
        old.deliver()
    assert "is missing" in old.core.freshness.reason
    assert old.core.cure(old.now) is Cure.NOTHING  # nor when records are missing, too


def test_a_new_epochs_live_set_is_waited_for(old: Delivery) -> None:
    authority = old.authority
    authority.new_epoch()
    held = authority.log.drop(-1)
    old.deliver()
    assert old.core.state is State.INCOMPLETE
    assert old.core.cure(old.now) is Cure.NOTHING
    authority.log.restore(held)
    authority.checkpoint()
    old.deliver()
    assert old.core.state is State.READY


def test_who_took_the_wrong_branch_is_healed_by_reading_anew_and_enforces_until_then(old: Delivery) -> None:
    authority = old.authority
    told: list[Transition] = []
    old.core.watch(told.append)
    token = forked(old)
    assert old.core.state is State.INCOMPLETE
    assert old.core.cure(old.now) is Cure.ANEW
    fresh = Delivery(authority, old.core.afresh())
    assert not fresh.core.may_take_over(old.core, fresh.now)
    with pytest.raises(GuardIncomplete):
        old.core.verify(token, old.now)
    with pytest.raises(TokenRevoked):  # by the branch that it was on
        old.core.verify(authority.mint(sub="carol"), old.now, policy="allow")
    fresh.deliver()
    assert fresh.core.may_take_over(old.core, fresh.now)
    applied = old.core.counters["log.applied"]
    fresh.core.take_over(old.core, fresh.now)
    with pytest.raises(TokenRevoked):
        fresh.core.verify(token, fresh.now)
    assert fresh.core.table() == (authority.position, authority.table.pack())
    assert [(change.before, change.after) for change in told[-1:]] == [(State.INCOMPLETE, State.READY)]
    assert "read anew" in told[-1].reason
    authority.block(authority.subject("erin"))
    fresh.deliver()
    assert fresh.core.counters["log.applied"] == applied + 1
    authority.now += 100
    fresh.core.handle_timer(fresh.now)
    assert told[-1].after is State.STALE  # the watchers came along


def test_a_truncated_log_without_a_snapshot_makes_nobody_whole_and_says_so(old: Delivery) -> None:
    authority = old.authority
    for name in ("bob", "carol", "dave"):
        authority.block(authority.subject(name))
    for _ in range(len(authority.log) - 1):
        authority.log.drop(0)
    authority.checkpoint()
    old.deliver()
    authority.now += 3
    old.deliver()
    fresh = Delivery(authority, old.core.afresh())
    fresh.deliver()
    authority.now += 3
    fresh.deliver()
    assert old.core.state is State.INCOMPLETE
    assert not fresh.core.may_take_over(old.core, fresh.now)
    assert "it does not begin with record 1, and no snapshot" in fresh.core.missing()


# --- nothing older is accepted by reading anew


def test_an_older_log_does_not_take_over(old: Delivery) -> None:
    """Who can write to Kafka puts the topics back to an earlier day, with every signature genuine."""
    authority = old.authority
    then = {topic: list(log.messages) for topic, log in old.logs.items()}
    for name in ("bob", "carol"):
        authority.block(authority.subject(name))
    authority.advance(1)
    old.deliver()
    put_back(old, then)
    fresh = Delivery(authority, old.core.afresh())
    fresh.deliver()
    assert fresh.core.state is State.READY  # by itself it could not know
    assert not fresh.core.may_take_over(old.core, fresh.now)


def test_older_keys_do_not_take_over(old: Delivery) -> None:
    authority = old.authority
    then = {topic: list(log.messages) for topic, log in old.logs.items()}
    authority.distrust("some-kid")
    authority.rotate()
    authority.advance(1)
    old.deliver()
    put_back(old, then)
    fresh = Delivery(authority, old.core.afresh())
    fresh.deliver()
    assert fresh.core.state is State.STARTING
    assert not fresh.core.may_take_over(old.core, fresh.now)


def test_a_root_that_was_handed_over_stays_the_pin(old: Delivery) -> None:
    authority = old.authority
    authority.rotate_root()
    old.deliver()
    assert old.core.afresh().trust.root == authority.root.kid


def test_a_frozen_authority_grows_no_younger_and_no_token_either(authority: Authority) -> None:
    old = Delivery(authority, core_for(authority, limits=Limits(authority_age=3600)))
    old.deliver()
    authority.advance(20)
    old.deliver()
    slow = old.now._replace(
        wall=old.now.wall - 3000
    )  # the own clock is far behind: only the monotonic term sees the freeze
    fresh = old.core.afresh()
    assert fresh.freshness.authority_age(slow._replace(monotonic=slow.monotonic + 3000)) == 3000
    assert fresh.verifier.newest_t == authority.now  # by which a slow clock's tokens expire


def put_back(delivery: Delivery, then: dict[Topic, list[Message]]) -> None:
    for topic, log in delivery.logs.items():
        log.messages = then[topic]
