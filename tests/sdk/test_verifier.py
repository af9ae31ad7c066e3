"""Tokens against the guard's core: the profile, rule by rule. The `T` ids are those of the attack catalogue."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from revocast.schemas.jose import PrivateKey, b64u, unb64u
from revocast.schemas.keyset import KeyState
from revocast.sdk.core import GuardCore
from revocast.sdk.errors import (
    AlgorithmNotAllowed,
    ClaimInvalid,
    RevocastError,
    SignatureInvalid,
    TokenError,
    TokenExpired,
    TokenMalformed,
    TokenNotYetValid,
    TokenRevoked,
    UnknownKey,
)
from revocast.testing import Authority, Delivery, core_for
from revocast.testing.tokens import claims_of, sign_token

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.fixture(params=["EdDSA", "ES256", "RS256"], scope="module")
def alg(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def authority() -> Authority:
    return Authority(claims=("tenant",))


@pytest.fixture
def verify(authority: Authority) -> Callable[[str], Any]:
    delivery = Delivery(authority, core_for(authority))

    def current(token: str) -> Any:
        delivery.deliver()
        return delivery.core.verify(token, delivery.now)

    return current


def refused(verify: Callable[[str], Any], token: str) -> RevocastError:
    with pytest.raises(TokenError) as caught:
        verify(token)
    error = caught.value
    assert not any(part and part in str(error) for part in token.split(".")), (
        "an error holds a part of the token"
    )
    return error


def reheaded(token: str, header: object) -> str:
    """The token with another header, its signature as it was."""
    text = json.dumps(header) if not isinstance(header, bytes) else header.decode("latin-1")
    return ".".join([b64u(text.encode()), *token.split(".")[1:]])


def with_header(authority: Authority, **header: Any) -> str:
    return sign_token(claims_of(authority.mint()), authority.active, header)


def minted(authority: Authority, **claims: Any) -> str:
    return authority.mint(**claims)


def with_claims(authority: Authority, claims: bytes) -> str:
    return sign_token(claims, authority.active)


# --- what is accepted


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


# --- algorithms and keys


@pytest.mark.parametrize(
    "alg", ["none", "None", "NONE", "nOnE", "", "HS256", "RS512", "PS256", "ES384", None, 1, ["EdDSA"]]
)
def test_t01_an_algorithm_that_is_not_the_keys_is_refused(
    authority: Authority, verify: Callable[[str], Any], alg: object
) -> None:
    token = authority.mint()
    header = {"alg": alg, "kid": authority.active.kid, "typ": "at+jwt"}
    assert isinstance(refused(verify, reheaded(token, header)), AlgorithmNotAllowed)
    unsigned = reheaded(token, header).rpartition(".")[0] + "."
    assert isinstance(refused(verify, unsigned), AlgorithmNotAllowed)


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
@pytest.mark.parametrize("form", ["pem", "der", "jwk"])
def test_t02_a_public_key_is_no_secret(alg: str, form: str) -> None:
    authority = Authority(alg=alg)
    delivery = Delivery(authority, core_for(authority))
    delivery.deliver()
    key = authority.active.public
    public: Any = key._key
    if form == "jwk":
        secret = json.dumps(dict(key.jwk)).encode()
    else:
        encoding = serialization.Encoding.PEM if form == "pem" else serialization.Encoding.DER
        secret = public.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
    header = {"alg": "HS256", "kid": key.kid, "typ": "at+jwt"}
    signing_input = f"{b64u(json.dumps(header).encode())}.{authority.mint().split('.')[1]}"
    forged = f"{signing_input}.{b64u(hmac.new(secret, signing_input.encode(), hashlib.sha256).digest())}"
    assert isinstance(
        refused(lambda token: delivery.core.verify(token, delivery.now), forged), AlgorithmNotAllowed
    )


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c"])
def test_t03_a_header_that_brings_its_own_key_is_not_heard(
    authority: Authority, verify: Callable[[str], Any], name: str
) -> None:
    stranger = PrivateKey.generate()
    brought = {"jwk": dict(stranger.public.jwk), "x5c": ["MII="]}.get(name, "http://127.0.0.1:1/keys")
    forged = sign_token(claims_of(authority.mint()), stranger, {"kid": authority.active.kid, name: brought})
    assert isinstance(refused(verify, forged), SignatureInvalid)
    assert isinstance(
        refused(verify, sign_token(claims_of(authority.mint()), stranger, {name: brought})), UnknownKey
    )


@pytest.mark.parametrize("kid", ["../../etc/passwd", "' OR 1=1 --", "https://evil.example/key", "x" * 257])
def test_t04_a_strange_kid_is_an_unknown_or_malformed_key(
    authority: Authority, verify: Callable[[str], Any], kid: str
) -> None:
    assert isinstance(refused(verify, with_header(authority, kid=kid)), UnknownKey | TokenMalformed)


@pytest.mark.parametrize("kid", [["a"], 7, {}, "", True, None])
def test_t04_a_kid_that_is_no_name_is_malformed(
    authority: Authority, verify: Callable[[str], Any], kid: object
) -> None:
    token = authority.mint()
    header = {"alg": "EdDSA", "kid": kid, "typ": "at+jwt"}
    assert isinstance(refused(verify, reheaded(token, header)), TokenMalformed)
    assert isinstance(refused(verify, with_header(authority, kid=None)), TokenMalformed)


@pytest.mark.parametrize(
    ("r", "s"),
    [(0, 0), (0, 1), (1, 0), (P256_ORDER, 1), (1, P256_ORDER), (P256_ORDER, P256_ORDER)],
)
def test_t05_a_psychic_signature_is_none(r: int, s: int) -> None:
    authority = Authority(alg="ES256")
    delivery = Delivery(authority, core_for(authority))
    delivery.deliver()
    head = authority.mint().rpartition(".")[0]
    for signature in (
        r.to_bytes(32, "big") + s.to_bytes(32, "big"),
        b"",
        b"\0",
        b"\x30\x06\x02\x01\x01\x02\x01\x01",
        bytes(65),
    ):
        forged = f"{head}.{b64u(signature)}"
        assert isinstance(
            refused(lambda token: delivery.core.verify(token, delivery.now), forged), SignatureInvalid
        )


def test_a_key_of_another_type_does_not_fit_the_name(
    authority: Authority, verify: Callable[[str], Any]
) -> None:
    stranger = PrivateKey.generate("ES256", kid=authority.active.kid)
    assert isinstance(refused(verify, authority.mint(key=stranger)), AlgorithmNotAllowed)


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


# --- the envelope


@pytest.mark.parametrize(
    "extra", [{"crit": ["exp"]}, {"crit": []}, {"crit": "exp"}, {"b64": False}, {"b64": True}]
)
def test_t07_a_critical_header_is_not_understood(
    authority: Authority, verify: Callable[[str], Any], extra: dict[str, Any]
) -> None:
    assert isinstance(refused(verify, with_header(authority, **extra)), TokenMalformed)


def test_t08_a_member_stands_once(authority: Authority, verify: Callable[[str], Any]) -> None:
    kid = authority.active.kid
    twice = f'{{"alg":"EdDSA","kid":"{kid}","typ":"at+jwt","kid":"{kid}"}}'.encode()
    assert isinstance(
        refused(verify, sign_token(claims_of(authority.mint()), authority.active, twice)), TokenMalformed
    )
    claims = json.dumps(claims_of(authority.mint()))[:-1] + ', "sub": "admin"}'
    assert isinstance(refused(verify, with_claims(authority, claims.encode())), TokenMalformed)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: token + "=",
        lambda token: token + " ",
        lambda token: " " + token,
        lambda token: token + "\n",
        lambda token: token.replace(".", ". ", 1),
        lambda token: token.replace(".", "=.", 1),
        lambda token: token + ".",
        lambda token: token + "." + "AA",
        lambda token: token + ".AA.AA",
        lambda token: token.rpartition(".")[0],
        lambda token: "+" + token[1:],
        lambda token: "/" + token[1:],
        lambda token: "é" + token[1:],
        lambda token: json.dumps({"payload": token}),
        lambda token: "..",
        lambda token: "",
    ],
)
def test_t09_a_token_has_one_spelling(
    authority: Authority, verify: Callable[[str], Any], spoil: Callable[[str], str]
) -> None:
    assert isinstance(refused(verify, spoil(authority.mint())), TokenMalformed)


def test_t09_trailing_bits_are_refused(authority: Authority, verify: Callable[[str], Any]) -> None:
    token = authority.mint()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet.index(token[-1])
    respelled = token[:-1] + alphabet[last ^ 1]
    assert base64.urlsafe_b64decode(respelled.rpartition(".")[2] + "==") == unb64u(token.rpartition(".")[2])
    assert isinstance(refused(verify, respelled), TokenMalformed)


def test_t12_giants_and_nests_are_refused_early(authority: Authority, verify: Callable[[str], Any]) -> None:
    claims = claims_of(authority.mint())
    assert isinstance(refused(verify, authority.mint(pad="x" * 1_000_000)), TokenMalformed)
    nested: Any = 1
    for _ in range(50):
        nested = [nested]
    assert isinstance(refused(verify, authority.mint(nested=nested)), TokenMalformed)
    many = {**claims, **{f"c{index}": 1 for index in range(300)}}
    assert isinstance(refused(verify, sign_token(many, authority.active)), TokenMalformed)
    assert isinstance(refused(verify, with_claims(authority, b'{"sub":"\xff"}')), TokenMalformed)
    assert isinstance(refused(verify, with_claims(authority, b'{"sub":"\\ud800"}')), TokenMalformed)
    assert isinstance(refused(verify, with_claims(authority, b"[]")), TokenMalformed)


def test_t13_an_encrypted_token_is_none(authority: Authority, verify: Callable[[str], Any]) -> None:
    header = b64u(b'{"alg":"dir","enc":"A256GCM","zip":"DEF"}')
    assert isinstance(refused(verify, f"{header}..AAAA.AAAA.AAAA"), TokenMalformed)


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_no_text_does_anything_but_be_refused(text: str) -> None:
    with pytest.raises(TokenError):
        judge(text)


@given(st.data())
def test_no_change_of_one_character_gets_through(data: st.DataObject) -> None:
    token = _GOOD
    index = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda char: char != token[index]))
    with pytest.raises(TokenError):
        judge(token[:index] + other + token[index + 1 :])


def test_what_is_no_text_is_no_token(verify: Callable[[str], Any]) -> None:
    for value in (None, b"a.b.c", 7):
        with pytest.raises(TokenMalformed):
            verify(value)  # type: ignore[arg-type]


# --- the claims


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize(
    "value",
    ['"1"', "NaN", "Infinity", "-Infinity", "1e400", "-1", "true", "null", "[]", "1" * 30, "4294967295"],
)
def test_t10_times_are_numbers_of_seconds(
    authority: Authority, verify: Callable[[str], Any], name: str, value: str
) -> None:
    claims = {member: each for member, each in claims_of(authority.mint()).items() if member != name}
    text = json.dumps(claims)[:-1] + f', "{name}": {value}}}'
    assert isinstance(refused(verify, with_claims(authority, text.encode())), ClaimInvalid | TokenMalformed)


@pytest.mark.parametrize("name", ["iss", "aud", "exp", "iat", "sub", "client_id", "jti"])
def test_t14_what_the_profile_requires_must_be_there(
    authority: Authority, verify: Callable[[str], Any], name: str
) -> None:
    error = refused(verify, minted(authority, **{name: None}))
    assert isinstance(error, ClaimInvalid)
    assert error.claim == name


@pytest.mark.parametrize("name", ["jti", "sid", "grant_id", "sub", "client_id", "azp", "tenant"])
@pytest.mark.parametrize("value", ["", 7, ["a"], {"a": 1}, True])
def test_t14_what_a_revocation_may_name_is_a_string(
    authority: Authority, verify: Callable[[str], Any], name: str, value: object
) -> None:
    error = refused(verify, minted(authority, **{name: value}))
    assert isinstance(error, ClaimInvalid)
    assert error.claim == name


@pytest.mark.parametrize(
    "iss",
    ["https://issuer.test/", "https://issuer.test.evil", "https://ISSUER.test", ["https://issuer.test"]],
)
def test_t11_the_issuer_is_compared_whole(
    authority: Authority, verify: Callable[[str], Any], iss: object
) -> None:
    error = refused(verify, authority.mint(iss=iss))
    assert isinstance(error, ClaimInvalid)
    assert error.claim == "iss"


@pytest.mark.parametrize("aud", ["", [], ["billing"], "order", "orders ", ["orders", 7], {"orders": 1}, 7])
def test_t11_a_token_for_another_service_is_refused(
    authority: Authority, verify: Callable[[str], Any], aud: object
) -> None:
    error = refused(verify, authority.mint(aud=aud))
    assert isinstance(error, ClaimInvalid)
    assert error.claim == "aud"


@pytest.mark.parametrize("typ", ["JWT", "id+jwt", "secevent+jwt", "logout+jwt", "", None, 7])
def test_t11_another_kind_of_jwt_is_refused(
    authority: Authority, verify: Callable[[str], Any], typ: object
) -> None:
    header = {"alg": "EdDSA", "kid": authority.active.kid, "typ": typ}
    token = sign_token(claims_of(authority.mint()), authority.active, json.dumps(header).encode())
    assert isinstance(refused(verify, token), TokenMalformed)


def test_t18_no_token_outlives_its_revocation(authority: Authority, verify: Callable[[str], Any]) -> None:
    assert verify(authority.mint(lifetime=authority.max_lifetime))
    assert isinstance(refused(verify, authority.mint(lifetime=authority.max_lifetime + 1)), ClaimInvalid)
    # A cutoff compares floor(iat) and expires by it: the fraction must not buy a moment after the row is gone.
    late = authority.mint(iat=authority.now + 0.9, exp=authority.now + authority.max_lifetime + 0.5)
    assert isinstance(refused(verify, late), ClaimInvalid)
    assert isinstance(refused(verify, authority.mint(iat=1, exp=100)), ClaimInvalid)
    assert isinstance(refused(verify, authority.mint(exp=authority.now)), ClaimInvalid)


def test_times_are_judged_with_the_signed_leeway(authority: Authority, verify: Callable[[str], Any]) -> None:
    leeway = authority.leeway
    token = authority.mint(lifetime=100)
    authority.advance(100 + leeway - 1)
    assert verify(token)
    authority.advance(1)
    assert isinstance(refused(verify, token), TokenExpired)
    now = authority.now
    assert verify(authority.mint(iat=now + leeway))
    assert isinstance(refused(verify, authority.mint(iat=now + leeway + 1)), TokenNotYetValid)
    assert isinstance(refused(verify, authority.mint(nbf=now + leeway + 1)), TokenNotYetValid)


_AUTHORITY = Authority()
_CORE: GuardCore = core_for(_AUTHORITY)
_DELIVERY = Delivery(_AUTHORITY, _CORE)
_DELIVERY.deliver()
_GOOD = _AUTHORITY.mint()


def judge(token: str) -> object:
    return _CORE.verify(token, _DELIVERY.now)


@pytest.mark.parametrize("token", [None, 7, b"a.b.c", ["a.b.c"], {}], ids=repr)
def test_what_is_no_string_is_malformed(verify: Callable[[Any], Any], token: Any) -> None:
    with pytest.raises(TokenMalformed):
        verify(token)
