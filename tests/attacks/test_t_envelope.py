"""The envelope: one spelling, nothing critical, and bounds that hold before anything is parsed (RFC 7515, RFC 8725 §2.6)."""

import json
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from revocast.schemas.jose import b64u, unb64u
from revocast.sdk.errors import TokenError, TokenMalformed
from revocast.testing.tokens import claims_of, sign_token
from tests.attacks.service import Service, serve, service, signatures

__all__ = ["serve", "service", "signatures"]

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def headed(service: Service, header: bytes) -> str:
    """A token that is signed under exactly this header."""
    return sign_token(claims_of(service.authority.mint()), service.authority.active, header)


def saying(service: Service, claims: bytes) -> str:
    """A token that says exactly this, signed."""
    return sign_token(claims, service.authority.active)


# --- T07, T08


@pytest.mark.parametrize(
    "extra",
    [
        {"crit": ["exp"]},
        {"crit": ["b64"], "b64": False},
        {"crit": ["made-up"], "made-up": 1},
        {"crit": []},
        {"crit": "exp"},
        {"crit": {}},
        {"crit": None},
        {"b64": False},
        {"b64": True},
    ],
    ids=json.dumps,
)
def test_t07_nothing_critical_is_understood(service: Service, extra: dict[str, Any]) -> None:
    header = {"alg": "EdDSA", "kid": service.authority.active.kid, "typ": "at+jwt", **extra}
    service.refuses(headed(service, json.dumps(header).encode()), TokenMalformed)


def test_t07_an_unencoded_payload_is_refused(service: Service) -> None:
    """RFC 7797: signed over the claims as they are, in the middle of a token that is no base64url there."""
    key = service.authority.active
    header = b64u(
        json.dumps({"alg": key.alg, "kid": key.kid, "typ": "at+jwt", "b64": False, "crit": ["b64"]}).encode()
    )
    claims = json.dumps(claims_of(service.authority.mint()))
    signature = b64u(key.sign(f"{header}.{claims}".encode()))
    service.refuses(f"{header}.{claims}.{signature}", TokenMalformed)
    service.refuses(f"{header}.{b64u(claims.encode())}.{signature}", TokenMalformed)


@pytest.mark.parametrize("name", ["alg", "kid", "typ"])
def test_t08_a_header_member_stands_once(service: Service, name: str) -> None:
    members = [("alg", "EdDSA"), ("kid", service.authority.active.kid), ("typ", "at+jwt")]
    twice = [*members, (name, dict(members)[name])]
    text = ",".join(f"{json.dumps(each)}:{json.dumps(value)}" for each, value in twice)
    service.refuses(headed(service, f"{{{text}}}".encode()), TokenMalformed)


@pytest.mark.parametrize(
    "second", ['"sub":"admin"', '"s\\u0075b":"admin"', '"act":{"sub":"a","sub":"b"}', '"l":[{"a":1,"a":1}]']
)
def test_t08_a_claim_stands_once_at_every_level_however_it_is_escaped(service: Service, second: str) -> None:
    claims = json.dumps(claims_of(service.authority.mint()))[:-1] + f",{second}}}"
    service.refuses(saying(service, claims.encode()), TokenMalformed)


# --- T09


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: token + "=",
        lambda token: token + " ",
        lambda token: " " + token,
        lambda token: token + "\n",
        lambda token: "\ufeff" + token,
        lambda token: token.replace(".", ". ", 1),
        lambda token: token.replace(".", "=.", 1),
        lambda token: token.replace(".", "%2E"),
        lambda token: token.replace(".", "\uff0e"),
        lambda token: token + ".",
        lambda token: "." + token,
        lambda token: token + ".AA",
        lambda token: token + ".AA.AA",
        lambda token: token.rpartition(".")[0],
        lambda token: token.partition(".")[0],
        lambda token: "+" + token[1:],
        lambda token: "/" + token[1:],
        lambda token: "é" + token[1:],
        lambda token: token[:9] + "\0" + token[9:],
        lambda token: "..",
        lambda token: "",
        lambda token: "Bearer " + token,
    ],
)
def test_t09_a_token_has_one_spelling(service: Service, spoil: Callable[[str], str]) -> None:
    service.refuses(spoil(service.authority.mint()), TokenMalformed)


@pytest.mark.parametrize("flattened", [True, False])
def test_t09_json_serialization_is_refused(service: Service, flattened: bool) -> None:
    protected, payload, signature = service.authority.mint().split(".")
    signatures: dict[str, Any] = {"protected": protected, "signature": signature}
    form = (
        {"payload": payload, **signatures} if flattened else {"payload": payload, "signatures": [signatures]}
    )
    service.refuses(json.dumps(form), TokenMalformed)


@pytest.mark.parametrize("segment", [0, 1, 2])
def test_t09_bits_that_base64url_leaves_over_are_zero(service: Service, segment: int) -> None:
    """A lenient decoder reads the same bytes, so the token would have a second name in every cache and log."""
    for pad in range(3):
        parts = service.authority.mint(pad="x" * pad, kid=None).split(".")
        parts[0] = b64u(unb64u(parts[0])[:-1] + b" " * pad + b"}")  # any length; only the spelling is judged
        spare = {0: 0, 2: 4, 3: 2}[len(parts[segment]) % 4]
        if not spare:
            continue
        last = ALPHABET.index(parts[segment][-1])
        for bits in range(1, 2**spare):
            spelled = [*parts]
            spelled[segment] = parts[segment][:-1] + ALPHABET[last | bits]
            service.refuses(".".join(spelled), TokenMalformed)


# --- T12


def nested(depth: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return opening * depth + closing * depth


GIANTS: dict[str, Callable[[Service], Any]] = {
    "a megabyte of claims": lambda service: service.authority.mint(pad="x" * 1_000_000),
    "a megabyte of nothing": lambda _: "x" * 1_000_000,
    "a megabyte of dots": lambda _: "." * 1_000_000,
    "a megabyte not of ASCII": lambda _: "\U0001f511" * 250_000,
    "100,000 claims": lambda service: saying(
        service, json.dumps({f"c{n}": n for n in range(100_000)}).encode()
    ),
    "a megabyte of header": lambda service: headed(service, b'{"alg":"' + b"x" * 1_000_000 + b'"}'),
    "a header of brackets": lambda _: f"{b64u(nested(3_000))}.e30.AA",
    "a header of members": lambda _: b64u(json.dumps({str(n): 0 for n in range(600)}).encode()) + ".e30.AA",
    "a header of empty strings": lambda _: b64u(b"[" + b",".join([b'""'] * 2_000) + b"]") + ".e30.AA",
    "an unfinished string": lambda _: b64u(b'{"' + b'\\"' * 3_000) + ".e30.AA",
    "a header of digits": lambda _: b64u(b'{"alg":' + b"9" * 6_000 + b"}") + ".e30.AA",
    "brackets": lambda service: saying(service, nested(6_000)),
    "objects in objects": lambda service: saying(service, b'{"a":' * 2_000 + b"1" + b"}" * 2_000),
    "depth behind a string of brackets": lambda service: saying(
        service, b'{"a":"' + b"]" * 3_000 + b'","b":' + nested(3_000) + b"}"
    ),
    "an array of numbers": lambda service: saying(service, b'{"a":[' + b"1," * 5_000 + b"1]}"),
    "empty arrays": lambda service: saying(service, b'{"a":[' + b"[]," * 3_000 + b"1]}"),
    "digits": lambda service: saying(service, b'{"exp":' + b"9" * 12_000 + b"}"),
    "a fraction": lambda service: saying(service, b'{"exp":1.' + b"9" * 12_000 + b"}"),
}


@pytest.mark.parametrize("make", GIANTS.values(), ids=GIANTS)
def test_t12_what_is_huge_deep_or_wide_is_refused_in_bounded_time_and_memory(
    service: Service, make: Callable[[Service], Any]
) -> None:
    hostile = make(service)
    service.refuses(hostile, TokenMalformed)
    tracemalloc.start()
    try:
        _seconds(service, hostile)
        assert tracemalloc.get_traced_memory()[1] < 1024 * 1024
    finally:
        tracemalloc.stop()
    # The best of a few, so that a busy machine does not count; beside a good token that is new to the guard.
    best = min(_seconds(service, hostile) for _ in range(5))
    assert best < 10 * min(_seconds(service, service.authority.mint()) for _ in range(5))


def _seconds(service: Service, token: str) -> float:
    started = time.perf_counter()
    with suppress(TokenError):
        service.guard.verify(token)
    return time.perf_counter() - started


def test_t12_levels_and_values_are_counted_where_they_are(service: Service) -> None:
    """Eight levels and 1,024 values; brackets and commas in strings neither hide any nor add to them."""
    good = json.dumps(claims_of(service.authority.mint())).encode()[:-1]
    brackets, commas = b'"]]]]]]]]]]]]"', b'"' + b"," * 2_000 + b'"'
    service.accepts(
        saying(service, good + b',"a":' + nested(7) + b',"b":"[[[[[[[[[[[[","c":' + commas + b"}")
    )
    service.refuses(saying(service, good + b',"a":' + nested(8) + b"}"), TokenMalformed)
    service.refuses(saying(service, good + b',"b":' + brackets + b',"a":' + nested(8) + b"}"), TokenMalformed)
    service.refuses(
        saying(service, good + b',"b":"\\"' + brackets[1:] + b',"a":' + nested(8) + b"}"), TokenMalformed
    )
    service.accepts(saying(service, good + b',"a":[' + b"1," * 999 + b"1]}"))
    service.refuses(saying(service, good + b',"a":[' + b"1," * 1_099 + b"1]}"), TokenMalformed)
    key = service.authority.active
    header = f'{{"alg":"{key.alg}","kid":"{key.kid}","typ":"at+jwt","x":'.encode()
    service.accepts(headed(service, header + nested(3) + b"}"))
    service.refuses(headed(service, header + nested(4) + b"}"), TokenMalformed)
    service.refuses(headed(service, header + b"[" + b"1," * 99 + b"1]}"), TokenMalformed)


@pytest.mark.parametrize(
    "text",
    [
        b"\xff",
        b"\xc0\xaf",  # overlong
        b"\xed\xa0\x80",  # a surrogate, encoded
        b"\\ud800",
        b"\\udc00\\ud800",
        b"a\nb",
        b"\\x41",
    ],
)
def test_t12_text_that_parsers_read_differently_is_refused(service: Service, text: bytes) -> None:
    claims = json.dumps(claims_of(service.authority.mint())).encode()[:-1]
    service.refuses(saying(service, claims + b',"name":"' + text + b'"}'), TokenMalformed)
    service.refuses(saying(service, claims + b',"' + text + b'":1}'), TokenMalformed)
    header = f'{{"alg":"EdDSA","kid":"{service.authority.active.kid}","typ":"at+jwt","x":"'.encode()
    service.refuses(headed(service, header + text + b'"}'), TokenMalformed)


@pytest.mark.parametrize(
    "text", [b"", b"null", b"[]", b'"a"', b"1", b"{}{}", b"{},", b"\xef\xbb\xbf{}", b"{'a':1}", b"{a:1}"]
)
def test_t12_claims_and_headers_are_one_json_object(service: Service, text: bytes) -> None:
    service.refuses(saying(service, text), TokenMalformed)
    service.refuses(headed(service, text), TokenMalformed)
