"""Tokens against the guard's core: what is accepted, and that nothing else is. tests/attacks has the rows of the catalogue."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revocast.schemas.jose import ALGORITHMS, b64u, unb64u
from revocast.schemas.keyset import KeyState
from revocast.sdk.core import GuardCore
from revocast.sdk.errors import (
    RevocastError,
    TokenError,
    TokenExpired,
    TokenMalformed,
    TokenRevoked,
    UnknownKey,
)
from revocast.testing import Authority, Delivery, core_for
from revocast.testing.tokens import claims_of, sign_token


@pytest.fixture
def authority() -> Authority:
    return Authority(claims=("tenant",))


@pytest.fixture
def verify(authority: Authority) -> Callable[[Any], Any]:
    delivery = Delivery(authority, core_for(authority))

    def current(token: str) -> Any:
        delivery.deliver()
        return delivery.core.verify(token, delivery.now)

    return current


def with_header(authority: Authority, **header: Any) -> str:
    return sign_token(claims_of(authority.mint()), authority.active, header)


# --- what is accepted


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_good_token_is_accepted(alg: str) -> None:
    authority = Authority(alg=alg)
    delivery = Delivery(authority, core_for(authority))
    delivery.deliver()
    claims = delivery.core.verify(authority.mint(sub="bob", scope="a b"), delivery.now)
    assert claims.subject == "bob"
    assert claims.scopes == {"a", "b"}


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
def test_types_are_compared_as_media_types(
    authority: Authority, verify: Callable[[str], Any], typ: str
) -> None:
    assert verify(with_header(authority, typ=typ))


def test_ed25519_is_another_name_of_eddsa(authority: Authority, verify: Callable[[str], Any]) -> None:
    assert verify(with_header(authority, alg="Ed25519"))


def test_fractions_of_seconds_are_times_too(authority: Authority, verify: Callable[[str], Any]) -> None:
    assert verify(authority.mint(iat=authority.now - 0.5, exp=authority.now + 10.25, nbf=authority.now - 1.5))


@pytest.mark.parametrize("aud", ["orders", ["orders"], ["billing", "orders"]])
def test_an_audience_is_a_string_or_a_list(
    authority: Authority, verify: Callable[[str], Any], aud: object
) -> None:
    assert verify(authority.mint(aud=aud))


def test_a_text_of_another_class_is_the_text_that_it_is(
    authority: Authority, verify: Callable[[str], Any]
) -> None:
    """Frameworks have strings of their own. One that takes itself for any other must not find that one's claims."""

    class Alike(str):
        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return hash(good)

    good = authority.mint()
    assert verify(good)
    with pytest.raises(TokenMalformed):
        verify(Alike("x.y.z"))
    assert verify(Alike(good)) is verify(good)


@pytest.mark.parametrize("value", [None, 7, b"a.b.c", ["a.b.c"], {}], ids=repr)
def test_what_is_no_text_is_malformed(verify: Callable[[Any], Any], value: Any) -> None:
    with pytest.raises(TokenMalformed):
        verify(value)


def test_a_token_is_good_until_it_has_expired_and_the_leeway_is_over(
    authority: Authority, verify: Callable[[str], Any]
) -> None:
    token = authority.mint(lifetime=100)
    authority.advance(100 + authority.leeway - 1)
    assert verify(token)
    authority.advance(1)
    with pytest.raises(TokenExpired):
        verify(token)


# --- which keys


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (KeyState.ANNOUNCED, None),
        (KeyState.ACTIVE, None),
        (KeyState.RETIRING, None),
        (KeyState.RETIRED, UnknownKey),
        (KeyState.REVOKED, TokenRevoked),
    ],
)
def test_a_key_verifies_by_its_state(
    authority: Authority, state: KeyState, expected: type[RevocastError] | None
) -> None:
    token = authority.mint()
    authority.set_state(authority.active.kid, state)
    delivery = Delivery(authority, core_for(authority))
    delivery.deliver()
    if expected is None:
        assert delivery.core.verify(token, delivery.now)
    else:
        with pytest.raises(expected):
            delivery.core.verify(token, delivery.now)


def test_what_the_root_distrusts_is_refused(authority: Authority) -> None:
    delivery = Delivery(authority, core_for(authority))
    token = authority.mint()
    delivery.deliver()
    assert delivery.core.verify(token, delivery.now)
    authority.distrust(authority.active.kid)
    delivery.deliver()
    with pytest.raises(TokenRevoked):
        delivery.core.verify(token, delivery.now)
    authority.rotate()
    delivery.deliver()
    assert delivery.core.verify(authority.mint(), delivery.now)
    authority.distrust(issuer=True)
    delivery.deliver()
    with pytest.raises(TokenRevoked):
        delivery.core.verify(authority.mint(), delivery.now)


# --- nothing else


class Judge:
    """A core that is current, and one good token. Not changed by any example."""

    def __init__(self, alg: str) -> None:
        self.authority = Authority(alg=alg, claims=("tenant",))
        self.core: GuardCore = core_for(self.authority)
        delivery = Delivery(self.authority, self.core)
        delivery.deliver()
        self.now = delivery.now
        self.good = self.authority.mint(sid="s1", tenant="acme", nbf=self.authority.now, scope="read")

    def refuses(self, token: str) -> bool:
        """Whether it is refused with a challenge that a header can hold; whatever else is raised is a defect."""
        try:
            self.core.verify(token, self.now)
        except TokenError as error:
            return error.www_authenticate.isprintable()
        return False


JUDGES = {alg: Judge(alg) for alg in ALGORITHMS}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(), max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)
CLAIMS = [
    "iss",
    "aud",
    "exp",
    "iat",
    "nbf",
    "sub",
    "client_id",
    "azp",
    "jti",
    "sid",
    "grant_id",
    "scope",
    "tenant",
    "act",
    "é",
]
HEADERS = ["alg", "kid", "typ", "cty", "crit", "b64", "enc", "zip", "jwk", "jku", "x5c", "x5t", "x5u", "x"]


@given(st.text(st.characters(), max_size=200))
def test_no_text_does_anything_but_be_refused(text: str) -> None:
    assert JUDGES["EdDSA"].refuses(text)


@st.composite
def changed(draw: st.DrawFn, token: str) -> str:
    """A good token, changed in one way: a character, a bit, a member, the order, the spelling."""
    parts = token.split(".")
    which = draw(st.integers(0, 2))
    data = bytearray(unb64u(parts[which]))
    match draw(
        st.sampled_from(["character", "bit", "cut", "grown", "member", "spaced", "order", "alphabet"])
    ):
        case "character":
            at = draw(st.integers(0, len(token)))
            return token[:at] + draw(st.text(max_size=2)) + token[at + draw(st.integers(0, 2)) :]
        case "bit":
            at = draw(st.integers(0, len(data) * 8 - 1))
            data[at // 8] ^= 1 << at % 8
            parts[which] = b64u(bytes(data))
        case "cut":
            parts[which] = b64u(bytes(data[: draw(st.integers(0, len(data)))]))
        case "grown":
            parts[which] = b64u(draw(st.binary(max_size=3)) + bytes(data) + draw(st.binary(max_size=3)))
        case "member":
            which = draw(st.integers(0, 1))
            members = json.loads(unb64u(parts[which]))
            members[draw(st.sampled_from([HEADERS, CLAIMS][which]))] = draw(JSON)
            parts[which] = b64u(json.dumps(members, separators=(",", ":"), sort_keys=True).encode())
        case "spaced":
            which = draw(st.integers(0, 1))
            parts[which] = b64u(
                json.dumps(json.loads(unb64u(parts[which])), indent=draw(st.integers(0, 2))).encode()
            )
        case "order":
            return ".".join(draw(st.permutations(parts)))
        case "alphabet":
            parts[which] = draw(
                st.sampled_from([str.lower, str.swapcase, lambda text: text + "=" * (-len(text) % 4)])
            )(parts[which])
    return ".".join(parts)


@pytest.mark.parametrize("alg", ALGORITHMS)
@given(data=st.data())
def test_a_changed_token_is_refused_or_is_the_same_to_the_letter(alg: str, data: st.DataObject) -> None:
    judge = JUDGES[alg]
    token = data.draw(changed(judge.good))
    assert judge.refuses(token) == (token != judge.good)


@given(st.dictionaries(st.sampled_from(CLAIMS), JSON, min_size=1, max_size=4))
def test_whatever_a_signed_claim_holds_the_token_is_accepted_or_refused(claims: dict[str, Any]) -> None:
    judge = JUDGES["EdDSA"]
    said = json.dumps({**claims_of(judge.good), **claims}).encode()
    judge.refuses(sign_token(said, judge.authority.active))


@given(st.dictionaries(st.sampled_from(HEADERS), JSON, min_size=1, max_size=4))
def test_whatever_a_signed_header_holds_the_token_is_accepted_or_refused(header: dict[str, Any]) -> None:
    judge = JUDGES["EdDSA"]
    key = judge.authority.active
    said = json.dumps({"alg": key.alg, "kid": key.kid, "typ": "at+jwt", **header}).encode()
    judge.refuses(sign_token(claims_of(judge.good), key, said))


@given(st.binary(max_size=100), st.sampled_from([0, 1]))
def test_whatever_bytes_are_signed_the_token_is_refused(data: bytes, where: int) -> None:
    judge = JUDGES["EdDSA"]
    key = judge.authority.active
    said = [None, claims_of(judge.good)]
    assert judge.refuses(sign_token(data, key) if where else sign_token(said[1] or {}, key, data))
