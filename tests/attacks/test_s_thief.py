"""S15, S02: what a thief of an event key leaves behind must end with the key, in readers that run and in those that start."""

from collections.abc import Callable

import pytest

from revocast.schemas.checkpoint import Checkpoint
from revocast.schemas.delegations import Delegate, Role
from revocast.schemas.jose import PrivateKey
from revocast.schemas.record import Position
from revocast.schemas.row import NEVER
from revocast.schemas.verdict import Outcome
from revocast.sdk.errors import TokenRevoked
from revocast.sdk.freshness import State, Topic
from revocast.testing import Authority
from tests.attacks.forging import attackers_key_set
from tests.attacks.readers import Readers


def _checkpoint_of_the_far_end(issuer: Authority) -> tuple[Topic, bytes]:
    end = 10**18
    vouched = Checkpoint(t=issuer.now + 599, epoch=end, n=end, hash=bytes(32), delegations=end, key_set=end)
    return Topic.CHECKPOINTS, issuer.sign(vouched)


def _record(issuer: Authority, t: int) -> tuple[Topic, bytes]:
    record, _ = issuer.sign_next(())
    return Topic.LOG, issuer.sign(record.model_copy(update={"t": t}))


def _key_set_of_tomorrow(issuer: Authority) -> tuple[Topic, bytes]:
    key_set = attackers_key_set(issuer, PrivateKey.generate())
    return Topic.KEYS, issuer.sign(key_set.model_copy(update={"leeway": 301}))


LEGACIES: dict[str, Callable[[Authority], tuple[Topic, bytes]]] = {
    "a checkpoint beyond all that will ever be": _checkpoint_of_the_far_end,
    "a record at the end of time, by which every token has expired": lambda issuer: _record(
        issuer, NEVER - 1
    ),
    "a record that nobody understands": lambda issuer: _record(issuer, 0),
    "a key set that nobody understands": _key_set_of_tomorrow,
}


@pytest.mark.parametrize("legacy", LEGACIES)
def test_s15_what_a_thief_left_behind_stops_no_reader_once_his_key_is_dropped(
    readers: Readers, legacy: str
) -> None:
    issuer, guard = readers.authority, readers.guard
    revoked = issuer.mint(sub="alice", client_id="another")
    topic, value = LEGACIES[legacy](issuer)
    readers.logs[topic].append(b"thief", value)
    readers.deliver()
    issuer.new_epoch()
    issuer.advance(1)
    readers.deliver()
    issuer.advance(600)  # as far as a checkpoint may be ahead
    for reader in (readers, readers.restarted()):
        reader.deliver()
        reader.agree()
    assert guard.core.verify(issuer.mint(sub="zoe", client_id="another"), guard.delivery.now)
    with pytest.raises(TokenRevoked):
        guard.core.verify(revoked, guard.delivery.now)


def test_s15_a_retired_key_makes_no_fork_of_the_last_record_that_it_signed(readers: Readers) -> None:
    issuer, stolen = readers.authority, readers.authority.event_key
    issuer.rotate_event_key()
    issuer.advance(1)
    readers.deliver()
    last = Position(1, issuer.position.n - 1, bytes(32), issuer.now)
    rewritten = last.next_record((), issuer.now, delegations=1, key_set=1)
    with readers.untouched():
        (verdict,) = readers.attack(Topic.LOG, issuer.sign(rewritten, stolen))
        assert verdict.outcome is Outcome.REJECTED


def test_s02_a_root_that_was_delegated_as_an_event_key_still_decides(readers: Readers) -> None:
    # An issuer that lies can hand in the root's own public key as the one that waits to be delegated.
    issuer, guard = readers.authority, readers.guard
    issuer.delegates.append(Delegate(jwk=dict(issuer.root.public.jwk), role=Role.EVENT))
    issuer.publish_delegations()
    readers.deliver()
    issuer.distrust(issuer=True)
    issuer.advance(1)
    readers.deliver()
    assert guard.core.state is State.READY
    with pytest.raises(TokenRevoked):
        guard.core.verify(issuer.mint(sub="zoe", client_id="another"), guard.delivery.now)
