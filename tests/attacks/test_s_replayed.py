"""S03, S04: genuine, and old. Nothing newer is lost to it, in a reader that runs or in one that starts later."""

import itertools

import pytest

from revocast.schemas.delegations import Roots
from revocast.schemas.jose import PrivateKey
from revocast.schemas.keyset import KeySet, KeyState
from revocast.schemas.verdict import Outcome
from revocast.sdk.errors import TokenRevoked, UnknownKey
from revocast.sdk.freshness import State, Topic
from revocast.sdk.readiness import Floor
from revocast.testing import Authority, Delivery, core_for
from tests.attacks.forging import newest_key_set
from tests.attacks.readers import Readers

OLD = {Outcome.REPLAY, Outcome.REJECTED}  # what a key signed that is retired by now is not believed at all


def replay(readers: Readers, topic: Topic, *indexes: int) -> list[Outcome]:
    log = readers.logs[topic]
    return [verdict.outcome for verdict in readers.attack(topic, *(log.messages[i].value for i in indexes))]


def test_s03_an_old_lift_replayed_revives_nothing(readers: Readers) -> None:
    issuer = readers.authority
    token = issuer.mint(sub="alice", client_id="another")
    lift = 2  # record 1 opens the log, 2 blocks alice, 3 lifts her, 4 blocks her again
    with readers.untouched():
        assert replay(readers, Topic.LOG, lift) == [Outcome.REPLAY]
    for guard in (readers.guard, readers.restarted().guard):
        with pytest.raises(TokenRevoked):
            guard.core.verify(token, guard.delivery.now)


@pytest.mark.parametrize("topic", list(Topic))
def test_s03_everything_that_was_ever_written_again_changes_nothing(readers: Readers, topic: Topic) -> None:
    indexes = range(len(readers.logs[topic]))
    with readers.untouched():
        assert set(replay(readers, topic, *indexes)) <= OLD
    readers.restarted().agree()


def test_s03_old_records_in_any_order_change_nothing(readers: Readers) -> None:
    values = [message.value for message in readers.authority.log]
    with readers.untouched():
        for order in itertools.islice(itertools.permutations(values), 0, None, 997):
            readers.attack(Topic.LOG, *order)


@pytest.mark.parametrize("onto", list(Topic))
@pytest.mark.parametrize("topic", list(Topic))
def test_s03_a_genuine_event_copied_to_another_topic_is_rejected_there(
    readers: Readers, topic: Topic, onto: Topic
) -> None:
    if topic is onto:
        return
    value = readers.logs[topic].messages[-1].value
    with readers.untouched():
        assert [verdict.outcome for verdict in readers.attack(onto, value)] == [Outcome.REJECTED]


def test_s03_an_old_checkpoint_makes_nothing_younger(readers: Readers) -> None:
    issuer, core = readers.authority, readers.guard.core
    issuer.advance(10)
    readers.deliver()
    issuer.now += 50
    age = core.freshness.authority_age(readers.guard.delivery.now)
    assert set(replay(readers, Topic.CHECKPOINTS, 0, -1)) <= OLD
    assert core.freshness.authority_age(readers.guard.delivery.now) == age


def test_s04_an_older_list_and_key_set_are_refused(readers: Readers) -> None:
    with readers.untouched():
        assert set(replay(readers, Topic.KEYS, *range(len(readers.authority.keys)))) <= OLD


def test_s04_a_reader_that_starts_again_takes_nothing_older_than_it_has_seen(issuer: Authority) -> None:
    before = core_for(issuer)
    Delivery(issuer, before).deliver()
    assert before.trust.key_set is not None
    floor = Floor(before.trust.versions[0], before.trust.key_set.order)
    newer = [issuer.keys.drop(-1) for _ in range(2)]  # a hostile broker keeps back the last list and key set
    issuer.checkpoints.drop(-1)
    later = core_for(issuer, floor=floor)
    delivery = Delivery(issuer, later)
    delivery.deliver()
    assert later.state is State.STARTING
    assert later.trust.versions == (0, 0)
    for message in reversed(newer):
        issuer.keys.restore(message)
    whole = core_for(issuer, floor=floor)
    Delivery(issuer, whole).deliver()
    assert whole.trust.versions == before.trust.versions


def test_s04_a_second_list_of_the_version_in_force_is_rejected(readers: Readers) -> None:
    issuer = readers.authority
    issuer.delegations -= 1
    issuer.delegates.reverse()
    other = issuer.publish_delegations()
    issuer.keys.drop(-1)
    with readers.untouched():
        assert [v.outcome for v in readers.attack(Topic.KEYS, other.value)] == [Outcome.REJECTED]


def test_s04_a_reader_that_slept_follows_every_root_in_order(issuer: Authority) -> None:
    for _ in range(3):
        issuer.rotate_root()
    issuer.checkpoint()
    Readers(issuer).agree()


def test_s04_a_root_version_that_is_skipped_is_refused(readers: Readers) -> None:
    issuer = readers.authority
    for _ in range(3):
        issuer.rotate_root()
    readers.deliver()
    whole = issuer.roots.handovers
    for left_out in range(3):
        short = Roots(
            first=issuer.roots.first, handovers=tuple(h for i, h in enumerate(whole) if i != left_out)
        )
        issuer.roots = short
        forged = issuer.publish_delegations()
        issuer.keys.drop(-1)
        issuer.delegations -= 1
        issuer.roots = Roots(first=short.first, handovers=whole)
        with readers.untouched():
            assert [v.outcome for v in readers.attack(Topic.KEYS, forged.value)] == [Outcome.REJECTED]


def test_s04_an_old_root_signs_nothing_after_its_hand_over(readers: Readers) -> None:
    issuer = readers.authority
    old, before = issuer.root, issuer.roots
    issuer.rotate_root()
    readers.deliver()
    new, issuer.root = issuer.root, old
    for roots in (before, issuer.roots):
        after, issuer.roots = issuer.roots, roots
        forged = issuer.publish_delegations()
        issuer.keys.drop(-1)
        issuer.delegations -= 1
        issuer.roots = after
        with readers.untouched():
            assert [v.outcome for v in readers.attack(Topic.KEYS, forged.value)] == [Outcome.REJECTED]
    issuer.root = new


def without(key_set: KeySet, kid: str) -> KeySet:
    own = key_set.issuers[0]
    keys = tuple(entry for entry in own.keys if entry.public.kid != kid)
    return key_set.model_copy(update={"issuers": (own.model_copy(update={"keys": keys}),)})


@pytest.mark.parametrize("restarted", [False, True])
def test_s04_a_kid_that_was_revoked_and_left_the_list_never_comes_back(
    readers: Readers, restarted: bool
) -> None:
    issuer, key = readers.authority, readers.authority.active
    genuine = newest_key_set(issuer)
    issuer.revoke_key(key.kid)
    gone = without(newest_key_set(issuer), key.kid).model_copy(update={"version": genuine.version + 2})
    issuer.keys.append(gone.key, issuer.sign(gone))
    readers.deliver()
    core = readers.guard.core
    assert core.trust.key_set == gone
    if restarted:
        core = core_for(issuer, floor=Floor(core.trust.versions[0], gone.order))
        Delivery(issuer, core).deliver()
        assert core.trust.key_set == gone
    back = genuine.model_copy(update={"version": genuine.version + 3})
    message = issuer.keys.append(back.key, issuer.sign(back))
    delivery = Delivery(issuer, core)
    outcomes = {verdict.offset: verdict.outcome for verdict in delivery.deliver()}
    assert outcomes[message.offset] is Outcome.REJECTED
    assert core.trust.key_set == gone
    with pytest.raises(UnknownKey):
        core.verify(issuer.mint(key=key, sub="bob", client_id="another"), delivery.now)


def test_s04_a_thief_of_the_event_key_can_revoke_no_token_key_for_ever(readers: Readers) -> None:
    issuer, thief = readers.authority, readers.authority.event_key
    kid = issuer.active.kid
    issuer.set_state(kid, KeyState.REVOKED)  # written by the thief
    readers.deliver()
    issuer.key_states[kid] = KeyState.ACTIVE
    issuer.new_epoch()
    assert issuer.event_key is not thief
    issuer.advance(1)
    readers.deliver()
    readers.agree()
    assert readers.guard.core.verify(issuer.mint(sub="bob", client_id="another"), readers.guard.delivery.now)


def test_s04_the_salt_and_the_declared_claims_never_change(readers: Readers) -> None:
    issuer = readers.authority
    now = newest_key_set(issuer)
    for change in ({"salt": bytes(32)}, {"claims": ()}, {"claims": ("device_id", "tenant")}):
        other = now.model_copy(update={"version": now.version + 1, **change})
        with readers.untouched():
            assert [v.outcome for v in readers.attack(Topic.KEYS, issuer.sign(other))] == [Outcome.REJECTED]


def test_s04_a_kid_never_changes_its_key(readers: Readers) -> None:
    issuer = readers.authority
    kid = issuer.active.kid
    genuine, issuer.token_keys[kid] = issuer.token_keys[kid], PrivateKey.generate(kid=kid)
    forged = issuer.publish_key_set()
    issuer.keys.drop(-1)
    issuer.key_set -= 1
    issuer.token_keys[kid] = genuine
    with readers.untouched():
        assert [v.outcome for v in readers.attack(Topic.KEYS, forged.value)] == [Outcome.REJECTED]
