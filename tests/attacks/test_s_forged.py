"""S01, S02: what no delegated key signed. Rejected and counted by every reader, and nothing changes."""

import pytest

from revocast.schemas.delegations import Bound, Delegate, DelegationList, Role, Roots
from revocast.schemas.events import EventBody
from revocast.schemas.jose import PrivateKey
from revocast.schemas.verdict import Outcome
from revocast.sdk.errors import UnknownKey
from revocast.sdk.freshness import State, Topic
from revocast.testing import Authority
from tests.attacks.forging import FORGERIES, attackers_key_set, attractive
from tests.attacks.readers import Readers


def all_rejected(readers: Readers, topic: Topic, value: bytes) -> None:
    before = readers.rejections(topic)
    with readers.untouched():
        assert [verdict.outcome for verdict in readers.attack(topic, value)] == [Outcome.REJECTED]
    assert readers.rejections(topic) == [count + 1 for count in before]


@pytest.mark.parametrize("topic", list(Topic))
@pytest.mark.parametrize("forgery", FORGERIES)
def test_s01_what_no_delegated_key_signed_is_rejected_by_every_reader(
    readers: Readers, topic: Topic, forgery: str
) -> None:
    issuer = readers.authority
    all_rejected(readers, topic, FORGERIES[forgery](issuer, attractive(issuer, topic)))
    readers.restarted().agree()


@pytest.mark.parametrize("topic", list(Topic))
def test_s01_a_snapshot_key_signs_no_event(readers: Readers, topic: Topic) -> None:
    issuer, snapshot = readers.authority, PrivateKey.generate()
    issuer.delegates.append(Delegate(jwk=dict(snapshot.public.jwk), role=Role.SNAPSHOT))
    issuer.publish_delegations()
    readers.deliver()
    all_rejected(readers, topic, issuer.sign(attractive(issuer, topic), snapshot))


@pytest.mark.parametrize("topic", list(Topic))
def test_s01_a_key_that_is_listed_no_more_signs_no_event(readers: Readers, topic: Topic) -> None:
    issuer = readers.authority
    compromised = issuer.event_key
    issuer.new_epoch()
    issuer.checkpoint()
    readers.deliver()
    all_rejected(readers, topic, issuer.sign(attractive(issuer, topic), compromised))


def test_s01_under_a_list_that_has_expired_nobody_is_current(readers: Readers) -> None:
    issuer = readers.authority
    listed = readers.guard.core.trust.delegations
    assert listed is not None
    issuer.now = listed.expires_at + 1
    issuer.advance(1)
    readers.deliver()
    assert readers.guard.core.state is not State.READY
    assert "expired" in readers.guard.core.freshness.reason
    issuer.publish_delegations()
    issuer.advance(1)
    readers.deliver()
    assert readers.guard.core.state is State.READY


def test_s01_a_rejected_record_says_why_and_quotes_nothing(readers: Readers) -> None:
    issuer = readers.authority
    for topic in Topic:
        for forge in FORGERIES.values():
            value = forge(issuer, attractive(issuer, topic))
            (verdict,) = readers.attack(topic, value)
            assert verdict.reason
            assert not any(part and part.decode() in verdict.reason for part in value.split(b"."))


def lists_of_an_attacker(issuer: Authority) -> dict[str, tuple[DelegationList, PrivateKey]]:
    """Lists that delegate to the attacker's event key, and who signs them."""
    own_root, own_key = PrivateKey.generate(), PrivateKey.generate()
    wanted = DelegationList(
        t=issuer.now,
        version=issuer.delegations + 1,
        epoch=1,
        opened_by=issuer._opened_by,
        expires_at=issuer.now + 10_000_000,
        keys=(*issuer.delegates, Delegate(jwk=dict(own_key.public.jwk), role=Role.EVENT)),
        roots=issuer.roots,
    )
    own = Roots(first=dict(own_root.public.jwk))
    pretended = issuer.roots.handed_over(own_root, own_root.public, issuer.issuer)
    other = issuer.roots.handed_over(issuer.root, own_root.public, "https://another-issuer.example")
    renamed = PrivateKey(own_root._key, own_root.alg, kid=issuer.root.kid)
    return {
        "its own root": (wanted.model_copy(update={"roots": own}), own_root),
        "our roots, its signature": (wanted, own_root),
        "our roots, its signature under our kid": (wanted, renamed),
        "our roots, an event key's signature": (wanted, issuer.event_key),
        "our roots, a token key's signature": (wanted, issuer.active),
        "a hand-over that the attacker signed": (wanted.model_copy(update={"roots": pretended}), own_root),
        "a hand-over of another deployment": (wanted.model_copy(update={"roots": other}), own_root),
    }


LISTS = list(lists_of_an_attacker(Authority()))


@pytest.mark.parametrize("name", LISTS)
def test_s02_a_delegation_list_that_the_root_did_not_sign_is_rejected(readers: Readers, name: str) -> None:
    listed, signer = lists_of_an_attacker(readers.authority)[name]
    all_rejected(readers, Topic.KEYS, readers.authority.sign(listed, signer))
    readers.restarted().agree()


@pytest.mark.parametrize("forgery", FORGERIES)
def test_s02_the_attackers_token_key_is_never_trusted(readers: Readers, forgery: str) -> None:
    issuer, key = readers.authority, PrivateKey.generate()
    token = issuer.mint(key=key, sub="bob", client_id="another")
    all_rejected(readers, Topic.KEYS, FORGERIES[forgery](issuer, attackers_key_set(issuer, key)))
    with pytest.raises(UnknownKey):
        readers.guard.core.verify(token, readers.guard.delivery.now)


def test_s02_a_key_set_of_a_retired_event_key_is_rejected(readers: Readers) -> None:
    issuer, stolen = readers.authority, readers.authority.event_key
    issuer.rotate_event_key()
    readers.deliver()
    all_rejected(readers, Topic.KEYS, issuer.sign(attackers_key_set(issuer, PrivateKey.generate()), stolen))


def test_s02_what_a_thief_of_the_event_key_published_ends_with_the_key(readers: Readers) -> None:
    issuer, stolen = readers.authority, PrivateKey.generate()
    key = PrivateKey.generate()
    issuer.delegates.append(Delegate(jwk=dict(stolen.public.jwk), role=Role.EVENT))
    issuer.publish_delegations()
    # What only grows, grown: the genuine key set cannot follow this one.
    grown = {"version": 1_000_000, "claims": ("tenant", "thief")}
    poisoned: EventBody = attackers_key_set(issuer, key).model_copy(update=grown)
    readers.attack(Topic.KEYS, issuer.sign(poisoned, stolen))
    token = issuer.mint(key=key, sub="bob", client_id="another")
    assert readers.guard.core.verify(token, readers.guard.delivery.now), (
        "while the key is trusted, so is this"
    )
    issuer.delegates.pop()
    issuer.new_epoch()
    issuer.advance(1)
    readers.deliver()
    readers.agree()
    with pytest.raises(UnknownKey):
        readers.guard.core.verify(token, readers.guard.delivery.now)


def test_s02_a_bound_of_an_earlier_epoch_covers_nothing_of_a_later_one() -> None:
    delegate = Delegate(
        jwk=dict(PrivateKey.generate().public.jwk), role=Role.EVENT, bound=Bound(epoch=1, n=9)
    )
    assert delegate.covers(1, 9)
    assert not delegate.covers(1, 10)
    assert not delegate.covers(2, 1)
