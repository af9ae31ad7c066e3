"""S14, S15: who holds an event key, or held one."""

import pytest

from revocast.schemas.chain import Flaw
from revocast.schemas.delegations import Bound
from revocast.schemas.events import EventBody
from revocast.schemas.jose import PrivateKey
from revocast.schemas.record import Position
from revocast.schemas.row import Row, Slot
from revocast.schemas.verdict import Outcome
from revocast.sdk.errors import GuardIncomplete, TokenRevoked
from revocast.sdk.freshness import State, Topic
from revocast.testing import Authority, Message
from tests.attacks.forging import attackers_key_set, attractive
from tests.attacks.readers import Readers


def other_next(issuer: Authority, *rows: Row) -> bytes:
    """The other half of a fork: what a second authority on the same key writes as the next record."""
    return issuer.sign_next(rows)[1]


def test_s14_of_two_next_records_the_second_is_ignored_and_said(readers: Readers) -> None:
    issuer, guard = readers.authority, readers.guard
    other = other_next(issuer, Row.for_lift(*issuer.name(issuer.subject("alice")), Slot.BLOCK))
    token = issuer.mint(sub="carol", client_id="another")
    issuer.revoke(token)
    readers.deliver()
    before = [reader.state["table"] for reader in readers.both]
    assert [v.outcome for v in readers.attack(Topic.LOG, other)] == [Outcome.FORK]
    assert [reader.state["table"] for reader in readers.both] == before
    for chain in (guard.core.chain, readers.streams.follower.chain):
        assert Flaw.FORK in chain.flaws
    with pytest.raises(GuardIncomplete, match="another history"):
        guard.core.verify(token, guard.delivery.now)
    issuer.advance(1)  # a checkpoint: the issuer's word on which of them is right
    readers.deliver()
    with pytest.raises(TokenRevoked):
        guard.core.verify(token, guard.delivery.now)


def test_s14_a_reader_that_took_the_wrong_half_knows_it_from_the_checkpoint(readers: Readers) -> None:
    issuer = readers.authority
    other = other_next(issuer, issuer.block_row(issuer.subject("x")))
    assert [v.outcome for v in readers.attack(Topic.LOG, other)] == [Outcome.APPLIED]
    issuer.block(issuer.subject("carol"))
    issuer.checkpoint()
    readers.deliver()
    assert readers.guard.core.state is State.INCOMPLETE
    assert Flaw.FORK in readers.guard.core.chain.flaws
    mark, checkpoint = readers.streams.follower.mark, readers.streams.control.checkpoint
    assert mark is not None
    assert checkpoint is not None
    assert mark.n == checkpoint.n
    assert mark.hash != checkpoint.hash, "so its views refuse to answer"


def test_s14_what_follows_a_fork_is_followed_by_prev_alone(readers: Readers) -> None:
    issuer = readers.authority
    forked = Position(1, issuer.position.n, bytes(32), issuer.now)
    record = forked.next_record((), issuer.now, delegations=1, key_set=1)
    assert [v.outcome for v in readers.attack(Topic.LOG, issuer.sign(record))] == [Outcome.FORK]
    issuer.block(issuer.subject("carol"))
    issuer.advance(1)
    readers.deliver()
    readers.agree()


def test_s14_an_epoch_begins_behind_the_list_that_opened_it_alone(readers: Readers) -> None:
    issuer = readers.authority
    live = issuer.table.pack()
    records = compromise(issuer)
    readers.deliver()
    other = Position.opening(2, bytes(32)).next_record(
        (), issuer.now, delegations=1, key_set=1, closes_live_set=True
    )
    assert [v.outcome for v in readers.attack(Topic.LOG, issuer.sign(other))] == [Outcome.FORK]
    assert readers.guard.core.table()[1] == live
    for message in records:
        issuer.log.append(message.key, message.value)
    issuer.checkpoint()
    readers.deliver()
    readers.agree()


@pytest.mark.parametrize("topic", list(Topic))
def test_s15_a_key_stolen_after_it_was_retired_is_good_for_nothing_new(
    readers: Readers, topic: Topic
) -> None:
    issuer, stolen = readers.authority, readers.authority.event_key
    issuer.rotate_event_key()
    readers.deliver()
    with readers.untouched():
        (verdict,) = readers.attack(topic, issuer.sign(attractive(issuer, topic), stolen))
        assert verdict.outcome is Outcome.REJECTED
        assert "retired" in verdict.reason
    readers.restarted().agree()


def test_s15_within_its_bound_a_stolen_key_rewrites_no_history(readers: Readers) -> None:
    issuer, stolen = readers.authority, readers.authority.event_key
    issuer.block(issuer.subject("carol"))
    issuer.rotate_event_key()
    issuer.block(issuer.subject("dave"))
    issuer.checkpoint()
    readers.deliver()
    n = issuer.position.n - 1
    rewritten = Position(1, n - 1, bytes(32), issuer.now).next_record(
        (), issuer.now, delegations=1, key_set=1
    )
    with readers.untouched():
        (verdict,) = readers.attack(Topic.LOG, issuer.sign(rewritten, stolen))
        assert verdict.outcome is Outcome.REPLAY
    readers.restarted().agree()


def test_s15_a_bound_is_of_its_epoch(readers: Readers) -> None:
    issuer, stolen = readers.authority, readers.authority.event_key
    issuer._replace_event_key(Bound(epoch=1, n=1_000_000))
    issuer.publish_delegations()
    issuer.publish_key_set()
    issuer.new_epoch()
    issuer.checkpoint()
    readers.deliver()
    readers.agree()
    with readers.untouched():
        (verdict,) = readers.attack(Topic.LOG, issuer.sign(attractive(issuer, Topic.LOG), stolen))
        assert verdict.outcome is Outcome.REJECTED


def compromise(issuer: Authority) -> list[Message]:
    """A new epoch, all but its list and key set kept back; the records of its live set in order."""
    before = len(issuer.log)
    issuer.new_epoch()
    return [issuer.log.drop(before) for _ in range(len(issuer.log) - before)]


def test_s15_after_a_compromise_the_old_table_is_enforced_until_the_new_one_is_whole(
    readers: Readers,
) -> None:
    issuer, guard = readers.authority, readers.guard
    for number in range(2_500):
        issuer.block(issuer.subject(f"user-{number}"))
    issuer.checkpoint()
    readers.deliver()
    tokens = [
        issuer.mint(sub=name, client_id="another") for name in ("alice", "user-0", "user-999", "user-2499")
    ]
    live = issuer.table.pack()
    records = compromise(issuer)
    assert len(records) == 3
    for message in records:
        readers.deliver()
        assert guard.core.state is State.INCOMPLETE
        assert [reader.state["table"] for reader in readers.both] in ([live, live], [live, None])
        assert guard.core.table()[1] == live, "not one revocation is erased on the way"
        issuer.log.restore(message)
    issuer.checkpoint()
    readers.deliver()
    readers.agree()
    assert issuer.table.pack() == live
    for token in tokens:
        with pytest.raises(TokenRevoked):
            guard.core.verify(token, guard.delivery.now)


@pytest.mark.parametrize("topic", list(Topic))
def test_s15_a_compromised_key_signs_nothing_any_more(readers: Readers, topic: Topic) -> None:
    issuer, stolen = readers.authority, readers.authority.event_key
    late: EventBody = attractive(issuer, topic)
    issuer.new_epoch()
    issuer.checkpoint()
    readers.deliver()
    with readers.untouched():
        (verdict,) = readers.attack(topic, issuer.sign(late, stolen))
        assert verdict.outcome is Outcome.REJECTED
    readers.restarted().agree()


def test_s15_what_a_thief_wrote_before_it_was_noticed_is_undone_by_the_new_epoch(readers: Readers) -> None:
    issuer, guard = readers.authority, readers.guard
    token = issuer.mint(sub="alice", client_id="another")
    record = attractive(issuer, Topic.LOG)  # blocks bob, lifts alice
    assert [v.outcome for v in readers.attack(Topic.LOG, issuer.sign(record))] == [Outcome.APPLIED]
    readers.attack(Topic.KEYS, issuer.sign(attackers_key_set(issuer, PrivateKey.generate())))
    issuer.key_set += 1  # the issuer goes on above what the thief wrote
    assert guard.core.verify(token, guard.delivery.now), "the thief could do that, until it was noticed"
    issuer.new_epoch()
    issuer.advance(1)
    readers.deliver()
    readers.agree()
    with pytest.raises(TokenRevoked):
        guard.core.verify(token, guard.delivery.now)
