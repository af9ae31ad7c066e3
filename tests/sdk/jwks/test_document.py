from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from revocast.schemas.jose import PrivateKey
from revocast.sdk.jwks.document import MAX_KEYS, NotAKeySet, read_document
from tests.sdk.jwks.key_sets import jwk_set

KEY = PrivateKey.generate()
JWK = dict(KEY.public.jwk)


def rsa_jwk(bits: int = 2048, exponent: int = 65537) -> dict[str, Any]:
    key = rsa.generate_private_key(exponent, bits)
    return {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "r", "key_ops": ["verify"]}


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_a_signature_key_of_each_algorithm_is_taken_under_its_kid(alg: str) -> None:
    key = PrivateKey.generate(alg)
    read = read_document(jwk_set(key))
    assert read.keys[key.kid].verify(b"x", key.sign(b"x"))
    assert (read.passed_over, read.refused) == (0, {})


def test_an_algorithm_that_is_left_out_is_that_of_the_keys_type() -> None:
    jwk = rsa_jwk()
    assert "alg" not in jwk
    assert read_document(jwk_set(jwk)).keys["r"].alg == "RS256"


def test_nothing_is_kept_but_what_makes_the_key() -> None:
    more = {"x5c": ["MIIB"], "x5u": "https://evil.example", "x5t": "a", "nbf": 1, "issuer": "x"}
    assert read_document(jwk_set({**JWK, **more})).keys[KEY.kid].jwk == JWK


@pytest.mark.parametrize(
    "other",
    [
        {**JWK, "use": "enc"},
        {**JWK, "use": "something"},
        {**JWK, "key_ops": ["sign"]},
        {**JWK, "key_ops": "verify"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "ps", "alg": "PS256"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "oaep", "alg": "RSA-OAEP"},
        {"kty": "EC", "crv": "P-384", "x": "AQAB", "y": "AQAB", "kid": "p384"},
        {"kty": "OKP", "crv": "Ed448", "x": "AQAB", "kid": "ed448"},
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AQAB", "kid": "pq"},
    ],
)
def test_a_key_for_something_else_is_passed_over(other: dict[str, Any]) -> None:
    read = read_document(jwk_set(other, KEY))
    assert list(read.keys) == [KEY.kid] or other["kid"] == KEY.kid
    assert (read.passed_over, read.refused) == (1, {})


@pytest.mark.parametrize(
    ("jwk", "why"),
    [
        ({"kty": "oct", "k": "c2VjcmV0", "kid": "h", "alg": "HS256"}, "symmetric"),
        ({**JWK, "d": "AQAB"}, "private"),
        (rsa_jwk(1024), "2048"),
        (rsa_jwk(exponent=3), "65537"),
        ({**JWK, "x": "AQAB"}, "not a public key"),
        ({**JWK, "x": "A" * 43}, "nobody|anybody"),
        ({**JWK, "alg": "RS256"}, "not the algorithm"),
        ({**JWK, "kid": ""}, "kid"),
        ({**JWK, "kid": 7}, "kid"),
        ({**JWK, "kid": "k" * 257}, "kid"),
        ({**JWK, "key_ops": ["verify", "sign"]}, "key_ops"),
        ({name: value for name, value in JWK.items() if name != "kid"}, "no token can name"),
        ({**JWK, "kty": 7}, "kty"),
        ("key", "object"),
        (None, "object"),
        ({}, "kid"),
    ],
)
def test_a_key_that_should_not_be_there_is_refused_alone_and_said(jwk: Any, why: str) -> None:
    good = PrivateKey.generate("ES256")
    read = read_document(jwk_set(jwk, good))
    assert list(read.keys) == [good.kid]
    ((reason, count),) = read.refused.items()
    assert count == 1
    assert any(word in reason for word in why.split("|"))


def test_of_a_kid_that_stands_twice_no_key_is_taken() -> None:
    twin = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key(), as_dict=True)
    other = PrivateKey.generate()
    read = read_document(jwk_set(KEY, {**twin, "kid": KEY.kid}, other))
    assert list(read.keys) == [other.kid]
    assert read.refused == {"jwk.kid: stands twice in the set": 2}


def test_a_key_for_encryption_may_share_the_kid() -> None:
    assert list(read_document(jwk_set(KEY, {**JWK, "use": "enc"})).keys) == [KEY.kid]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": [], "keys": []}',
        b'{"keys": [' + b"[" * 50 + b"]" * 50 + b"]}",
        b'{"keys": [' + b"1," * 5000 + b"1]}",
        b"\xff\xfe",
        jwk_set(*[{"kty": "oct"}] * (MAX_KEYS + 1)),
    ],
)
def test_a_body_that_is_no_key_set_says_nothing(body: bytes) -> None:
    with pytest.raises(NotAKeySet):
        read_document(body)


def test_an_empty_set_is_one() -> None:
    assert read_document(b'{"keys": []}').keys == {}
