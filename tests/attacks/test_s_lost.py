"""S05, S06, S07: what Kafka withholds, loses or makes up. Who misses something says so, and nothing is forgotten."""

from collections.abc import Iterable

import pytest

from revocast.schemas.chain import GAP_SECONDS, Flaw
from revocast.schemas.record import Position
from revocast.schemas.verdict import Outcome
from revocast.sdk.core import Received
from revocast.sdk.errors import GuardIncomplete, GuardStale, GuardUnavailable, TokenRevoked
from revocast.sdk.freshness import Limits, State, Topic
from revocast.sdk.instant import Instant
from revocast.testing import Authority, Delivery, Message, core_for
from tests.attacks.readers import Readers


def test_s05_a_frozen_topic_ages_alarms_and_then_the_policy_acts(issuer: Authority) -> None:
    core = core_for(issuer, limits=Limits(authority_alarm=30, authority_age=3600))
    delivery = Delivery(issuer, core)
    delivery.deliver()
    token = issuer.mint(sub="bob", client_id="another", lifetime=3600)
    issuer.now += 31  # the issuer is gone, or what it says is held back; the broker still answers
    delivery.deliver()
    assert core.state is State.READY
    assert any("checkpoint" in warning for warning in core.health(delivery.now).warnings)
    issuer.now += 3570
    delivery.deliver()
    with pytest.raises(GuardStale):
        core.verify(token, delivery.now)
    assert "checkpoint" in core.health(delivery.now).reason
    issuer.checkpoint()
    delivery.deliver()
    assert core.state is State.READY


def test_s05_the_broker_cannot_keep_a_frozen_topic_young_with_old_checkpoints(issuer: Authority) -> None:
    core = core_for(issuer)
    delivery = Delivery(issuer, core)
    delivery.deliver()
    for _ in range(13):
        issuer.now += 300
        issuer.checkpoints.replay(-1)
        delivery.deliver()
    assert core.state is State.STALE


def test_s05_a_late_clock_does_not_hide_a_freeze(issuer: Authority) -> None:
    core = core_for(issuer, limits=Limits(link_age=10_000, authority_age=300))

    def read(topic: Topic, log: Iterable[Message]) -> None:
        now = Instant(issuer.now - 540, issuer.now)
        core.receive(topic, [Received(message.offset, message.value) for message in log], now)
        core.caught_up(topic, core.ask(now), now)

    for topic, log in (
        (Topic.KEYS, issuer.keys),
        (Topic.CHECKPOINTS, issuer.checkpoints),
        (Topic.LOG, issuer.log),
    ):
        read(topic, log)
    assert core.state is State.READY
    issuer.now += 301
    read(Topic.CHECKPOINTS, issuer.checkpoints)  # the same again
    assert core.state is State.STALE


def test_s05_a_reader_that_is_shown_a_shorter_log_than_the_issuer_signed_for_says_so(
    readers: Readers,
) -> None:
    issuer = readers.authority
    token = issuer.mint(sub="carol", client_id="another")
    issuer.revoke(token)
    withheld = issuer.log.drop(-1)
    issuer.checkpoint()
    readers.deliver()
    issuer.now += 5
    readers.deliver()
    with pytest.raises(GuardIncomplete, match=r"1/7"):
        readers.guard.core.verify(token, readers.guard.delivery.now)
    mark, checkpoint = readers.streams.follower.mark, readers.streams.control.checkpoint
    assert mark is not None
    assert checkpoint is not None
    assert (mark.epoch, mark.n) < (checkpoint.epoch, checkpoint.n), "and so its views refuse to answer"
    issuer.log.restore(withheld)
    readers.guard.delivery.reread()
    readers.streams.reread()
    readers.go_on()


@pytest.mark.parametrize("topic", list(Topic))
def test_s06_a_tombstone_is_rejected(readers: Readers, topic: Topic) -> None:
    with readers.untouched():
        assert [v.outcome for v in readers.attack(topic, None)] == [Outcome.REJECTED]


@pytest.mark.parametrize("n", [2**31, 2**53 + 1, 2**63 - 1, 10**19])
def test_s06_a_huge_n_holds_up_nobody_and_says_that_something_is_missing(readers: Readers, n: int) -> None:
    issuer = readers.authority
    place = Position(1, n - 1, bytes(32), issuer.now)
    record = place.next_record((), issuer.now, delegations=issuer.delegations, key_set=issuer.key_set)
    message = issuer.log.append(b"", issuer.sign(record))  # only who holds the event key can make it
    before = readers.guard.state["table"]
    readers.deliver()
    issuer.now += int(GAP_SECONDS) + 1
    issuer.checkpoint()
    readers.deliver()
    assert readers.guard.core.state is State.INCOMPLETE
    assert Flaw.GAP in readers.guard.core.chain.flaws
    assert readers.guard.state["table"] == before
    token = issuer.mint(sub="carol", client_id="another")
    issuer.revoke(token)
    readers.deliver()
    assert readers.guard.state["table"] == issuer.table.pack(), "the log goes on under it"
    issuer.log.messages.remove(message)
    assert readers.restarted().guard.state["table"] == issuer.table.pack()


def test_s06_a_gap_that_never_fills_is_incomplete_after_two_seconds_and_forgets_nothing(
    readers: Readers,
) -> None:
    issuer, guard = readers.authority, readers.guard
    alice = issuer.mint(sub="alice", client_id="another")
    first, second = (issuer.mint(sub=name, client_id="another") for name in ("carol", "dave"))
    issuer.revoke(first)
    lost = issuer.log.drop(-1)
    issuer.revoke(second)
    readers.deliver()
    assert guard.core.state is State.READY, "it may still come"
    issuer.now += 2
    guard.core.handle_timer(guard.delivery.now)
    for token in (alice, first, second):
        with pytest.raises(GuardUnavailable, match="missing"):
            guard.core.verify(token, guard.delivery.now)
    issuer.log.restore(lost)
    guard.delivery.reread()
    readers.streams.reread()
    readers.go_on()
    for token in (alice, first, second):
        with pytest.raises(TokenRevoked):
            guard.core.verify(token, guard.delivery.now)


def test_s07_a_log_truncated_beyond_a_reader_is_a_gap_and_never_ready(readers: Readers) -> None:
    issuer, guard = readers.authority, readers.guard
    token = issuer.mint(sub="carol", client_id="another")
    issuer.revoke(token)
    for name in "abc":
        issuer.block(issuer.subject(name))
    issuer.checkpoint()
    for _ in range(8):
        issuer.log.drop(0)  # the truncation took what the reader had, and two records that it had not
    readers.deliver()
    issuer.now += 5
    readers.deliver()
    guard.delivery.reread()
    assert guard.core.state is State.INCOMPLETE
    late = core_for(issuer)
    Delivery(issuer, late).deliver()
    assert late.state is State.STARTING
    assert Flaw.START in late.chain.flaws
    for core in (guard.core, late):
        with pytest.raises(GuardUnavailable):
            core.verify(token, guard.delivery.now)


def test_s07_a_log_that_lost_its_tail_is_noticed_against_the_checkpoint(readers: Readers) -> None:
    issuer = readers.authority
    lost = [issuer.block(issuer.subject(name)) for name in "ab"]
    for _ in lost:
        issuer.log.drop(-1)  # an unclean election
    issuer.checkpoint()
    fresh = core_for(issuer)
    delivery = Delivery(issuer, fresh)
    delivery.deliver()
    assert fresh.state is State.STARTING
    for message in lost:
        issuer.log.append(message.key, message.value)  # the issuer republishes its stored bytes
    delivery.deliver()
    assert fresh.state is State.READY
    assert fresh.table() == (issuer.position, issuer.table.pack())


def test_s07_a_recreated_log_of_another_history_is_a_fork_and_changes_nothing(readers: Readers) -> None:
    issuer = readers.authority
    before = readers.guard.state["table"]
    issuer.log.messages.clear()
    issuer.log.end = 0
    readers.guard.delivery.offsets[Topic.LOG] = 0
    record, value = issuer.sign_next((issuer.block_row(issuer.subject("x")),))
    issuer.append(record.rows)
    other = Position(1, record.n, bytes(32), issuer.now).next_record((), issuer.now, delegations=1, key_set=1)
    issuer.log.messages.clear()
    issuer.log.append(b"", value)
    issuer.log.append(b"", issuer.sign(other))
    readers.guard.deliver()
    assert readers.guard.core.state is State.INCOMPLETE
    assert Flaw.FORK in readers.guard.core.chain.flaws
    assert len(readers.guard.state["table"]) == len(before) + 20, (
        "what follows the known history is taken, no more"
    )
