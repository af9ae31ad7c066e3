"""The memory of verified tokens: it saves work and never an answer."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from revocast.schemas.jose import PrivateKey, parse_header
from revocast.sdk import profile
from revocast.sdk.core import GuardCore
from revocast.sdk.errors import (
    GuardStale,
    InsufficientScope,
    SignatureInvalid,
    TokenError,
    TokenExpired,
    TokenMalformed,
    TokenNotYetValid,
    TokenRevoked,
    UnknownKey,
)
from revocast.sdk.freshness import Topic
from revocast.sdk.instant import Instant
from revocast.sdk.keyring import TokenKey
from revocast.sdk.profile import Profile
from revocast.testing import Authority, Delivery, InMemoryGuard, core_for
from revocast.testing.tokens import claims_of, sign_token


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
    genuine = TokenKey.verify

    def counted(key: TokenKey, signing_input: bytes, signature: bytes) -> bool:
        nonlocal count
        count += 1
        return genuine(key, signing_input, signature)

    monkeypatch.setattr(TokenKey, "verify", counted)
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


# --- headers, of which few stand before all tokens


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many headers have been parsed so far."""
    count = 0
    genuine = parse_header

    def counted(segment: bytes) -> Mapping[str, Any]:
        nonlocal count
        count += 1
        return genuine(segment)

    monkeypatch.setattr(profile, "parse_header", counted)
    return lambda: count


def test_a_header_that_stood_before_a_good_token_is_not_parsed_again(
    delivery: Delivery, parsed: Callable[[], int]
) -> None:
    for sub in ("alice", "bob", "carol"):
        delivery.core.verify(delivery.authority.mint(sub=sub), delivery.now)
    assert parsed() == 1


def test_a_stranger_leaves_no_header_behind(delivery: Delivery, parsed: Callable[[], int]) -> None:
    authority = delivery.authority
    claims, stranger = claims_of(authority.mint()), PrivateKey.generate()
    for n in range(100):
        forged = sign_token(claims, stranger, {"kid": authority.active.kid, "n": n})
        for _ in range(2):
            with pytest.raises(SignatureInvalid):
                delivery.core.verify(forged, delivery.now)
    assert parsed() == 200
    assert len(delivery.core.verifier.keyring._headers) == 0


def test_headers_that_are_kept_are_few(delivery: Delivery) -> None:
    claims, key = claims_of(delivery.authority.mint()), delivery.authority.active
    for n in range(100):
        assert delivery.core.verify(sign_token(claims, key, {"n": n}), delivery.now)
    assert len(delivery.core.verifier.keyring._headers) == 64


def test_with_a_key_goes_what_its_header_said(delivery: Delivery) -> None:
    authority = delivery.authority
    key = authority.active
    delivery.core.verify(authority.mint(), delivery.now)
    authority.revoke_key(key.kid)
    delivery.deliver()
    with pytest.raises(TokenRevoked):
        delivery.core.verify(sign_token(claims_of(authority.mint(key=key)), key), delivery.now)


def test_what_another_profile_refuses_is_refused_under_a_known_header(delivery: Delivery) -> None:
    token, verifier = delivery.authority.mint(), delivery.core.verifier
    delivery.core.verify(token, delivery.now)
    other = replace(verifier.profile, types=frozenset({"id+jwt"}))
    with pytest.raises(TokenMalformed):
        profile.authenticate(token, verifier.keyring, other)


# --- the short way


def test_the_short_way_says_what_the_long_one_says(authority: Authority) -> None:
    """A remembered token, in every state of the guard, the clock and the log."""
    guard = InMemoryGuard(authority)
    assert guard._core is not None
    long, recall = guard._core.verify, guard._core.recall
    token = authority.mint(lifetime=100, nbf=authority.now)
    first = guard.verify(token)

    def short() -> bool:
        return recall(token, authority.now, authority.now) is not None

    assert recall(token, authority.now, authority.now) is first
    authority.block(authority.subject("somebody else"))
    assert not short()  # it has to be looked up again
    assert guard.verify(token) is first
    assert short()
    authority.now -= authority.leeway + 1
    assert guard.verify(token) is first  # judged by the newest time that the issuer signed
    authority.now += authority.leeway + 1
    authority.announce()
    assert not short()  # other keys
    again = guard.verify(token)
    assert again is not first
    assert short()
    authority.now += 100_000  # nothing was heard for long
    assert not short()
    with pytest.raises(GuardStale):
        long(token, Instant(authority.now, authority.now))
    authority.now -= 100_000
    assert short()
    authority.advance(100 + authority.leeway)
    assert not short()
    with pytest.raises(TokenExpired):
        guard.verify(token)


def test_the_short_way_knows_the_second_at_which_a_token_begins_and_ends(delivery: Delivery) -> None:
    authority, verifier = delivery.authority, delivery.core.verifier
    issued = authority.now + 100  # by the own clock, which is ahead of what the issuer has signed
    token = authority.mint(iat=issued, exp=issued + 10)
    since, until = issued - authority.leeway, issued + 10 + authority.leeway
    claims = verifier.verify(token, issued)
    for wall in (since, until - 1):
        assert verifier.recall(token, wall) is claims
    for wall, error in ((since - 1, TokenNotYetValid), (until, TokenExpired)):
        assert verifier.recall(token, wall) is None
        with pytest.raises(error):
            verifier.verify(token, wall)
    verifier.newest_t = until - 1
    assert verifier.recall(token, issued) is claims
    verifier.newest_t = until
    assert verifier.recall(token, issued) is None
    with pytest.raises(TokenExpired):
        verifier.verify(token, issued)


def test_the_short_way_ends_with_the_guard(delivery: Delivery) -> None:
    token, now = delivery.authority.mint(), delivery.now
    delivery.core.verify(token, now)
    assert delivery.core.recall(token, *now)
    delivery.core.close(now)
    assert delivery.core.recall(token, *now) is None
    delivery.deliver()
    assert delivery.core.recall(token, *now) is None


def test_the_short_way_is_for_strings_that_are_nothing_else(delivery: Delivery) -> None:
    class Posing(str):
        """Equal to a token that somebody else brought."""

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return hash(token)

    token = delivery.authority.mint()
    delivery.core.verify(token, delivery.now)
    assert delivery.core.recall(Posing("x"), *delivery.now) is None
    assert delivery.core.recall(None, *delivery.now) is None  # type: ignore[arg-type]


def test_scopes_are_asked_for_on_the_short_way_too(authority: Authority) -> None:
    guard = InMemoryGuard(authority)
    token = authority.mint(scope="orders:read")
    for _ in range(2):
        assert guard.verify(token, scopes=["orders:read"])
        with pytest.raises(InsufficientScope):
            guard.verify(token, scopes=["orders:write"])
