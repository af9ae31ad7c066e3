"""Every backend says the same of the same signature, of those that nobody would make by accident, too."""

import hashlib
import sys
from collections.abc import Callable
from typing import Any, get_args

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from revocast.schemas.jose import ALGORITHMS, PrivateKey, PublicKey
from revocast.schemas.keyset import KeyState
from revocast.schemas.signatures import Verify
from revocast.sdk import Guard
from revocast.sdk.errors import SignatureInvalid
from revocast.sdk.signatures import CRYPTOGRAPHY, Signatures, backend_named
from revocast.testing import Authority, InMemoryGuard
from revocast.testing.tokens import claims_of, sign_token

TEXT = b"eyJ0eXAiOiJhdCtqd3QifQ.eyJzdWIiOiJhbGljZSJ9"
BACKENDS = get_args(Signatures)
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
KEYS = {alg: PrivateKey.generate(alg) for alg in ALGORITHMS}


def check_of(name: Signatures, key: PublicKey) -> Verify:
    check = backend_named(name).verifier(key)
    assert check is not None
    return check


CHECKS = {(name, alg): check_of(name, key.public) for name in BACKENDS for alg, key in KEYS.items()}


def all_say(alg: str, signature: bytes, text: bytes = TEXT) -> bool:
    verdicts = {CHECKS[name, alg](text, signature) for name in BACKENDS}
    assert len(verdicts) == 1
    return verdicts.pop()


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_all_take_a_genuine_signature_over_this_text_and_no_other(alg: str) -> None:
    signature = KEYS[alg].sign(TEXT)
    assert all_say(alg, signature)
    assert not all_say(alg, signature, TEXT + b"x")
    assert not all_say(alg, PrivateKey.generate(alg).sign(TEXT))


@pytest.mark.parametrize("alg", ALGORITHMS)
@given(data=st.data())
def test_all_refuse_a_changed_signature_of_any_length(alg: str, data: st.DataObject) -> None:
    genuine = KEYS[alg].sign(TEXT)
    at = data.draw(st.integers(0, len(genuine)))
    changed = genuine[:at] + data.draw(st.binary(max_size=3)) + genuine[at + data.draw(st.integers(0, 3)) :]
    assert all_say(alg, changed) == (changed == genuine)


@pytest.mark.parametrize("r", [0, 1, P256_ORDER - 1, P256_ORDER, P256_ORDER + 1, 2**256 - 1])
@pytest.mark.parametrize("s", [0, 1, P256_ORDER - 1, P256_ORDER, P256_ORDER + 1, 2**256 - 1])
def test_es256_numbers_out_of_range_or_made_up_are_refused(r: int, s: int) -> None:
    assert not all_say("ES256", r.to_bytes(32) + s.to_bytes(32))


def test_es256_both_signatures_that_ecdsa_has_are_taken() -> None:
    signature = KEYS["ES256"].sign(TEXT)
    s = P256_ORDER - int.from_bytes(signature[32:])
    assert all_say("ES256", signature[:32] + s.to_bytes(32))


# --- RS256: what a signer could put around the digest


def encoded(digest_info: bytes, padding: bytes | None = None, tail: bytes = b"") -> bytes:
    """A signature whose representative is this padding before this text."""
    key = KEYS["RS256"]._key
    assert isinstance(key, rsa.RSAPrivateKey)
    numbers = key.private_numbers()
    n = numbers.public_numbers.n
    size = (n.bit_length() + 7) // 8
    if padding is None:
        padding = b"\xff" * (size - 3 - len(digest_info) - len(tail))
    message = (b"\0\1" + padding + b"\0" + digest_info + tail).ljust(size, b"\0")
    return pow(int.from_bytes(message), numbers.d, n).to_bytes(size)


SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
DIGEST = hashlib.sha256(TEXT).digest()


@pytest.mark.parametrize(
    ("digest_info", "more"),
    [
        (SHA256_INFO + DIGEST, {"tail": b"\0" * 16}),
        (SHA256_INFO + DIGEST, {"padding": b"\xff" * 8}),
        (SHA256_INFO + DIGEST, {"padding": b""}),
        (SHA256_INFO + DIGEST, {"padding": b"\xff" * 201 + b"\xfe"}),
        (bytes.fromhex("302f300b0609608648016503040201") + b"\x04\x20" + DIGEST, {}),  # without the NULL
        (bytes.fromhex("3031300d06096086480165030402020500") + b"\x04\x20" + DIGEST, {}),  # as SHA-384
        (bytes.fromhex("308131300d060960864801650304020105000420") + DIGEST, {}),  # a length in BER
        (DIGEST, {}),
    ],
    ids=["garbage", "short", "unpadded", "bent", "no NULL", "other hash", "BER", "bare"],
)
def test_rs256_an_encoding_that_is_not_the_one_of_pkcs1_is_refused(
    digest_info: bytes, more: dict[str, Any]
) -> None:
    assert all_say("RS256", encoded(SHA256_INFO + DIGEST))
    assert not all_say("RS256", encoded(digest_info, **more))


# --- Ed25519: what distinguishes the libraries of the world

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
BASE = (15112221349535400772501151409588531511454012693041857206046113283949847762202, 4 * pow(5, -1, P) % P)
ORDER_2 = (0, P - 1)
Point = tuple[int, int]


def plus(a: Point, b: Point) -> Point:
    product = D * a[0] * b[0] * a[1] * b[1] % P
    x = (a[0] * b[1] + a[1] * b[0]) * pow(1 + product, -1, P) % P
    return x, (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, -1, P) % P


def times(k: int, point: Point) -> Point:
    total = (0, 1)
    for bit in bin(k)[2:]:
        total = plus(total, total)
        if bit == "1":
            total = plus(total, point)
    return total


def encode(point: Point) -> bytes:
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def forged(point_of: Callable[[Point], Point], scalar: Callable[[int], int] = lambda s: s) -> bytes:
    """A signature by who has the key, with another point or scalar in it."""
    seed = KEYS["EdDSA"]._key.private_bytes_raw()
    digest = hashlib.sha512(seed).digest()
    a = int.from_bytes(digest[:32], "little") & (2**254 - 8) | 2**254
    r = 7
    point = encode(point_of(times(r, BASE)))
    h = int.from_bytes(hashlib.sha512(point + encode(times(a, BASE)) + TEXT).digest(), "little")
    return point + scalar((r + h * a) % L).to_bytes(32, "little")


def test_ed25519_a_scalar_beyond_the_order_is_refused() -> None:
    assert all_say("EdDSA", forged(lambda point: point))
    assert not all_say("EdDSA", forged(lambda point: point, lambda s: s + L))


def test_ed25519_a_point_that_only_a_check_with_cofactor_takes_is_refused() -> None:
    assert not all_say("EdDSA", forged(lambda point: plus(point, ORDER_2)))


@pytest.mark.parametrize("y", [0, 1, P - 1, P, P + 1, 2**255 - 1])
def test_ed25519_points_of_small_order_or_in_another_spelling_are_refused(y: int) -> None:
    for sign in (0, 1):
        assert not all_say("EdDSA", (y | sign << 255).to_bytes(32, "little") + bytes(32))


# --- choosing


def test_an_rsa_key_that_a_backend_does_not_take_is_checked_by_cryptography() -> None:
    key = odd_key()
    assert backend_named("tink").verifier(key.public) is None
    authority = Authority(alg="RS256")
    guard = InMemoryGuard(authority, signatures="tink")
    authority.token_keys[key.kid] = key
    authority.set_state(key.kid, KeyState.RETIRING)
    claims = claims_of(authority.mint())
    assert guard.verify(sign_token(claims, key)).subject == claims["sub"]
    forged = sign_token(claims, authority.active, {"kid": key.kid})
    with pytest.raises(SignatureInvalid):
        guard.verify(forged)


def odd_key() -> PrivateKey:
    """An RSA key with another exponent than 65537."""
    exponent = 65539
    found = rsa.generate_private_key(65537, 2048).private_numbers()
    p, q, n = found.p, found.q, found.public_numbers.n
    d = pow(exponent, -1, (p - 1) * (q - 1))
    crt = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, *crt, rsa.RSAPublicNumbers(exponent, n))
    return PrivateKey(numbers.private_key(), "RS256", "odd")


@pytest.mark.parametrize("name", BACKENDS)
def test_health_says_which_one_checks(name: Signatures) -> None:
    authority = Authority()
    guard = InMemoryGuard(authority, signatures=name)
    assert guard.verify(authority.mint())
    assert guard.health().signatures == name


def test_without_a_word_it_is_cryptography() -> None:
    guard = Guard("https://issuer.example", "orders", "kafka:9092")
    assert guard.settings.signatures == CRYPTOGRAPHY.name
    assert backend_named(guard.settings.signatures) is CRYPTOGRAPHY


def test_a_backend_that_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "revocast.sdk.tink_signatures", None)
    with pytest.raises(ModuleNotFoundError, match=r"revocast\[tink\]"):
        Guard("https://issuer.example", "orders", "kafka:9092", signatures="tink")
