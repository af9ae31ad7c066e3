"""Strictness: one spelling, unique members, the algorithm of the key."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revocast.schemas.errors import JoseError
from revocast.schemas.jose import (
    ALGORITHMS,
    PrivateKey,
    PublicKey,
    b64u,
    parse_compact,
    parse_json,
    thumbprint,
    unb64u,
)


@given(st.binary())
def test_base64url_round_trips(data: bytes) -> None:
    assert unb64u(b64u(data)) == data


@pytest.mark.parametrize("text", ["YQ==", "YR", "Y", "YW+i", "YW/i", "Y W", "YQ\n", "YQ\x00", "é"])
def test_base64url_has_one_spelling(text: str) -> None:
    with pytest.raises(JoseError):
        unb64u(text)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"a":1}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1e400}',
        b'{"a":' + b"9" * 5000 + b"}",
        b"[" * 1000 + b"]" * 1000,
        b'"\xff"',
        b'"\\ud800"',
        b'{"\\ud800":1}',
        b"",
        b"{}x",
        b"{}\x0b",  # blanks to Python, not to JSON (RFC 8259 §2)
        "\u00a0{}".encode(),
    ],
)
def test_ambiguous_json_is_refused(text: bytes) -> None:
    with pytest.raises(JoseError):
        parse_json(text)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_key_signs_verifies_and_survives_pem(alg: str) -> None:
    key = PrivateKey.generate(alg)
    again = PrivateKey.from_pem(key.pem())
    assert again.kid == key.kid
    assert key.public.verify(b"input", again.sign(b"input"))
    assert not key.public.verify(b"other", again.sign(b"input"))
    assert not key.public.verify(b"input", b"")
    assert b64u(key.pem())[:10] not in repr(key)


def test_the_thumbprint_is_that_of_rfc_7638_and_rfc_8037() -> None:
    # RFC 8037 appendix A.3
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert thumbprint(jwk) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize(
    "change",
    [
        {"use": "enc"},
        {"key_ops": ["sign"]},
        {"key_ops": "verify"},
        {"key_ops": ["verify", "verify"]},
        {"key_ops": ["verify", "encrypt"]},
        {"alg": "HS256"},
        {"alg": "ES256"},
        {"d": "AAAA"},
        {"q": "AAAA"},
        {"kty": "oct"},
        {"kty": ["OKP"]},
        {"crv": "Ed448"},
        {"x": "AAAA"},
        {"x": 1},
        {"kid": ""},
        {"kid": 7},
        {"kid": "k" * 257},
    ],
)
def test_a_key_for_something_else_is_refused(change: dict[str, object]) -> None:
    jwk = {**PrivateKey.generate().public.jwk, **change}
    with pytest.raises(JoseError):
        PublicKey.from_jwk(jwk)


def test_the_newer_name_of_eddsa_is_read() -> None:
    jwk = {**PrivateKey.generate().public.jwk, "alg": "Ed25519"}
    assert PublicKey.from_jwk(jwk).alg == "EdDSA"


def jws(header: object) -> str:
    return f"{b64u(json.dumps(header).encode())}.e30.AA"


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["x"]},
        {"crit": []},
        {"b64": False},
        {"enc": "A256GCM"},
        {"zip": "DEF"},
        {"cty": "JWT"},
        [],
        "x",
    ],
)
def test_a_header_that_changes_what_the_payload_is_is_refused(header: object) -> None:
    with pytest.raises(JoseError):
        parse_compact(jws(header), 1000)


@pytest.mark.parametrize(
    "token", ["", "e30", "e30.e30", "e30.e30.AA.AA", "e30.e30.AA.AA.AA", "e30.e30.AB", "é.e30.AA"]
)
def test_only_three_canonical_segments_are_a_jws(token: str) -> None:
    with pytest.raises(JoseError):
        parse_compact(token, 1000)


def test_a_long_token_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(JoseError, match="1000 bytes"):
        parse_compact("x" * 1001, 1000)


def test_a_long_header_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(JoseError, match="header is longer"):
        parse_compact("x" * 8193 + ".e30.AA", 100_000)


@pytest.mark.parametrize(
    ("text", "values"), [(b"[1,1,1]", 4), (b'[{"a":1},[2]]', 5), (b'{"a":[1],"b":",,[["}', 4), (b"1", 1)]
)
def test_values_are_counted_wherever_they_stand(text: bytes, values: int) -> None:
    parse_json(text, max_values=values)
    with pytest.raises(JoseError, match="values"):
        parse_json(text, max_values=values - 1)


@pytest.mark.parametrize(
    "change", [{"n": "AA"}, {"e": "Aw"}, {"e": "AAEAAQ"}, {"e": "AQAC"}, {"e": "AQAAAAE"}]
)
def test_an_rsa_key_is_strong_and_spelled_in_one_way(change: dict[str, str]) -> None:
    jwk = dict(PrivateKey.generate("RS256").public.jwk)
    for spoiled in ({**jwk, **change}, {**jwk, "n": b64u(b"\0" + unb64u(jwk["n"]))}):
        with pytest.raises(JoseError):
            PublicKey.from_jwk(spoiled)


def test_a_point_off_the_curve_is_no_key() -> None:
    jwk = dict(PrivateKey.generate("ES256").public.jwk)
    moved = {**jwk, "y": b64u((int.from_bytes(unb64u(jwk["y"])) ^ 1).to_bytes(32))}
    with pytest.raises(JoseError):
        PublicKey.from_jwk(moved)


def test_seventeen_levels_are_too_deep_and_sixteen_are_not() -> None:
    parse_json(b"[" * 16 + b"]" * 16)
    with pytest.raises(JoseError, match="deeper"):
        parse_json(b"[" * 17 + b"]" * 17)


def test_brackets_inside_strings_neither_hide_depth_nor_add_to_it() -> None:
    assert parse_json(b'{"sub":"' + b"[" * 40 + b'\\"{"}') == {"sub": "[" * 40 + '"{'}
    for hidden in (b"]" * 2000, b'\\"' + b"}" * 2000):
        with pytest.raises(JoseError, match="deeper"):
            parse_json(b'{"a":"' + hidden + b'","b":' + b"[" * 900 + b"]" * 900 + b"}")


def test_a_whole_private_jwk_is_refused() -> None:
    # RFC 8037 appendix A.1
    jwk = {
        "kty": "OKP",
        "crv": "Ed25519",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }
    with pytest.raises(JoseError, match="private"):
        PublicKey.from_jwk(jwk)


def test_a_fresh_key_has_a_name_that_no_command_takes_for_an_option() -> None:
    assert not any(PrivateKey.generate().kid.startswith("-") for _ in range(500))
