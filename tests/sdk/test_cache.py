"""The memory of verified tokens: it saves work and never an answer."""

from collections.abc import Callable

import pytest

from revocast.schemas.jose import PublicKey
from revocast.sdk.core import GuardCore
from revocast.sdk.errors import TokenError, TokenExpired, TokenRevoked, UnknownKey
from revocast.sdk.freshness import Topic
from revocast.sdk.profile import Profile
from revocast.testing import Authority, Delivery, core_for


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def delivery(authority: Authority) -> Delivery:
    delivery = Delivery(authority, core_for(authority))
    delivery.deliver()
    return delivery


@pytest.fixture
def signatures(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many signatures have been verified so far."""
    count = 0
    genuine = PublicKey.verify

    def counted(key: PublicKey, signing_input: bytes, signature: bytes) -> bool:
        nonlocal count
        count += 1
        return genuine(key, signing_input, signature)

    monkeypatch.setattr(PublicKey, "verify", counted)
    return lambda: count


def test_a_token_seen_before_costs_no_signature_and_hands_out_the_same_claims(
    delivery: Delivery, signatures: Callable[[], int]
) -> None:
    token = delivery.authority.mint()
    first = delivery.core.verify(token, delivery.now)
    before = signatures()
    assert delivery.core.verify(token, delivery.now) is first
    assert delivery.core.verify(str(token.encode(), "ascii"), delivery.now) is first
    assert signatures() == before


def test_a_revocation_makes_it_look_again_without_a_signature(
    delivery: Delivery, signatures: Callable[[], int]
) -> None:
    authority = delivery.authority
    alice, bob = authority.mint(sub="alice"), authority.mint(sub="bob")
    for token in (alice, bob):
        delivery.core.verify(token, delivery.now)
    authority.block(authority.subject("alice"))
    delivery.deliver()
    before = signatures()
    with pytest.raises(TokenRevoked):
        delivery.core.verify(alice, delivery.now)
    with pytest.raises(TokenRevoked):
        delivery.core.verify(alice, delivery.now)
    assert delivery.core.verify(bob, delivery.now)
    assert signatures() == before


def test_a_remembered_token_expires(delivery: Delivery) -> None:
    token = delivery.authority.mint(lifetime=10)
    delivery.core.verify(token, delivery.now)
    delivery.authority.advance(10 + delivery.authority.leeway)
    delivery.deliver()
    with pytest.raises(TokenExpired):
        delivery.core.verify(token, delivery.now)


def test_a_change_of_keys_begins_from_the_start(delivery: Delivery, signatures: Callable[[], int]) -> None:
    authority = delivery.authority
    key = authority.active
    token = authority.mint()
    delivery.core.verify(token, delivery.now)
    authority.rotate()
    delivery.deliver()
    before = signatures()
    assert delivery.core.verify(token, delivery.now)
    assert signatures() == before + 1
    del authority.token_keys[key.kid]
    authority.publish_key_set()
    delivery.deliver()
    with pytest.raises(UnknownKey):
        delivery.core.verify(token, delivery.now)


def test_the_swap_of_an_epoch_begins_from_the_start(authority: Authority) -> None:
    delivery = Delivery(authority, core_for(authority, policy="allow"))
    delivery.deliver()
    token = authority.mint()
    authority.table.apply(
        [authority.block_row(authority.subject("alice"))], authority.now
    )  # only in the new live set
    authority.new_epoch()
    authority.checkpoint()
    delivery.feed(Topic.KEYS)
    assert delivery.core.verify(token, delivery.now)  # remembered under the new keys and the old table
    delivery.deliver()
    with pytest.raises(TokenRevoked):
        delivery.core.verify(token, delivery.now)


def test_a_forgery_of_a_remembered_token_is_another_token(delivery: Delivery) -> None:
    token = delivery.authority.mint()
    delivery.core.verify(token, delivery.now)
    head, _, signature = token.rpartition(".")
    for forged in (head + "." + signature[::-1], head + ".", token + "="):
        with pytest.raises(TokenError):
            delivery.core.verify(forged, delivery.now)


@pytest.mark.parametrize("size", [0, 2, 100])
def test_it_is_bounded(authority: Authority, size: int) -> None:
    core = GuardCore(
        issuer=authority.issuer,
        root=authority.pin,
        profile=Profile(authority.audience, frozenset({authority.issuer})),
        cache_size=size,
    )
    delivery = Delivery(authority, core)
    delivery.deliver()
    for _ in range(size * 3 + 3):
        core.verify(authority.mint(), delivery.now)
        assert len(core.verifier._young) + len(core.verifier._old) <= size


def test_after_a_change_of_keys_a_token_is_verified_once_and_remembered_again(
    delivery: Delivery, signatures: Callable[[], int]
) -> None:
    token = delivery.authority.mint()
    delivery.core.verify(token, delivery.now)
    delivery.authority.announce()
    delivery.deliver()
    before = signatures()
    delivery.core.verify(token, delivery.now)
    once = signatures()
    delivery.core.verify(token, delivery.now)
    assert once == before + 1
    assert signatures() == once
