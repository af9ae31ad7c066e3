"""Algorithms, keys and signatures: the key decides, never the header (RFC 8725 §3.1)."""

import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any, get_args

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from revocast.schemas.jose import PrivateKey, b64u, canonical_json, unb64u
from revocast.schemas.keyset import IssuerKeys, KeyEntry, KeySet, KeyState, Lifetime
from revocast.sdk import State
from revocast.sdk.errors import AlgorithmNotAllowed, SignatureInvalid, TokenMalformed, UnknownKey
from revocast.sdk.signatures import Signatures
from revocast.testing import Authority
from revocast.testing.tokens import claims_of, sign_token
from tests.attacks.service import Serve, Service, nothing_opened, serve, service

__all__ = ["serve", "service"]


@pytest.fixture(params=get_args(Signatures))
def signatures(request: pytest.FixtureRequest) -> Signatures:
    """All of this against every backend."""
    name: Signatures = request.param
    return name


P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
NOT_THE_KEYS = [
    "none",
    "None",
    "NONE",
    "nOnE",
    "",
    "HS256",
    "RS512",
    "PS256",
    "ES384",
    "ES256K",
    None,
    1,
    ["EdDSA"],
]


def signed(authority: Authority, header: Mapping[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """A token with this header, signed by whatever `sign` is."""
    usual = {"kid": authority.active.kid, "typ": "at+jwt"}
    head = f"{b64u(json.dumps({**usual, **header}).encode())}.{authority.mint().split('.')[1]}"
    return f"{head}.{b64u(sign(head.encode()))}"


# --- T01, T02


@pytest.mark.parametrize("alg", NOT_THE_KEYS)
def test_t01_none_and_every_other_algorithm_but_the_keys_own_is_refused(
    service: Service, alg: object
) -> None:
    genuine = service.authority.active.sign
    signatures: list[Callable[[bytes], bytes]] = [lambda _: b"", lambda _: b"arbitrary", genuine]
    for sign in signatures:
        service.refuses(signed(service.authority, {"alg": alg}, sign), AlgorithmNotAllowed)


def test_t01_without_an_algorithm_it_is_refused(service: Service) -> None:
    token = sign_token(claims_of(service.authority.mint()), service.authority.active, {"alg": None})
    service.refuses(token, AlgorithmNotAllowed)


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
@pytest.mark.parametrize("form", ["pem", "der", "raw", "jwk", "thumbprint"])
def test_t02_hs256_with_the_public_key_as_secret_is_refused(serve: Serve, alg: str, form: str) -> None:
    service = serve(Authority(alg=alg))
    key = service.authority.active.public
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    secret = {
        "pem": key._key.public_bytes(serialization.Encoding.PEM, spki),
        "der": key._key.public_bytes(serialization.Encoding.DER, spki),
        "raw": unb64u(key.jwk.get("n") or key.jwk["x"]),
        "jwk": canonical_json(dict(key.jwk)),
        "thumbprint": key.kid.encode(),
    }[form]

    def mac(text: bytes) -> bytes:
        return hmac.digest(secret, text, "sha256")

    service.refuses(signed(service.authority, {"alg": "HS256"}, mac), AlgorithmNotAllowed)
    # And what says the key's own algorithm is judged by that one.
    service.refuses(signed(service.authority, {"alg": alg}, mac), SignatureInvalid)


# --- T03, T04


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"])
def test_t03_a_header_that_brings_or_points_at_a_key_is_not_heard(service: Service, name: str) -> None:
    stranger = PrivateKey.generate()
    brought: Any = {"jwk": dict(stranger.public.jwk), "x5c": ["MIIB"]}.get(name, "http://127.0.0.1:1/keys")
    claims, kid = claims_of(service.authority.mint()), service.authority.active.kid
    with nothing_opened():
        service.refuses(sign_token(claims, stranger, {"kid": kid, name: brought}), SignatureInvalid)
        service.refuses(sign_token(claims, stranger, {name: brought}), UnknownKey)
        service.refuses(sign_token(claims, stranger, {"kid": None, name: brought}), TokenMalformed)
        service.accepts(sign_token(claims, service.authority.active, {name: brought}))


@pytest.mark.parametrize(
    "kid",
    [
        "../../../../etc/passwd",
        "/dev/zero",
        "' OR 1=1 --",
        "https://evil.example/key",
        "|id",
        "\0",
        "x" * 256,
    ],
)
def test_t04_a_kid_only_selects_and_opens_nothing(service: Service, kid: str) -> None:
    with nothing_opened():
        service.refuses(
            sign_token(claims_of(service.authority.mint()), service.authority.active, {"kid": kid}),
            UnknownKey,
        )


@pytest.mark.parametrize("kid", [["a"], 7, {}, "", True, None, "x" * 257, "x" * 1_000_000])
def test_t04_a_kid_that_is_no_name_is_malformed(service: Service, kid: object) -> None:
    key = service.authority.active
    with nothing_opened():
        service.refuses(signed(service.authority, {"alg": "EdDSA", "kid": kid}, key.sign), TokenMalformed)
        service.refuses(sign_token(claims_of(service.authority.mint()), key, {"kid": None}), TokenMalformed)


# --- T05


@pytest.mark.parametrize("r", [0, 1, P256_ORDER - 1, P256_ORDER, P256_ORDER + 1, 2**256 - 1])
@pytest.mark.parametrize("s", [0, 1, P256_ORDER - 1, P256_ORDER, P256_ORDER + 1, 2**256 - 1])
def test_t05_a_psychic_signature_is_refused(serve: Serve, r: int, s: int) -> None:
    service = serve(Authority(alg="ES256"))
    forged = service.authority.mint().rpartition(".")[0] + "." + b64u(r.to_bytes(32) + s.to_bytes(32))
    service.refuses(forged, SignatureInvalid)


def test_t05_a_signature_in_another_form_is_refused(serve: Serve) -> None:
    service = serve(Authority(alg="ES256"))
    head, _, text = service.authority.mint().rpartition(".")
    genuine = unb64u(text)
    r, s = genuine[:32], genuine[32:]
    der = encode_dss_signature(int.from_bytes(r), int.from_bytes(s))
    padded = b"\0" + r + b"\0" + s
    over = (int.from_bytes(r) + P256_ORDER).to_bytes(33) + b"\0" + s
    for form in (
        b"",
        b"\0",
        der,
        padded,
        over,
        genuine[:-1],
        genuine + b"\0",
        genuine[:32],
        bytes(64),
        bytes(65),
    ):
        service.refuses(f"{head}.{b64u(form)}", SignatureInvalid)


# --- T06


def test_t06_a_key_of_another_type_does_not_fit_the_name(service: Service) -> None:
    for alg in ("ES256", "RS256"):
        stranger = PrivateKey.generate(alg, kid=service.authority.active.kid)
        service.refuses(service.authority.mint(key=stranger), AlgorithmNotAllowed)


def test_t06_an_rs256_key_signs_no_ps256_nor_rs512(serve: Serve) -> None:
    service = serve(Authority(alg="RS256"))
    key = service.authority.active._key
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256().digest_size)
    forms: list[tuple[str, Callable[[bytes], bytes]]] = [
        ("PS256", lambda text: key.sign(text, pss, hashes.SHA256())),
        ("RS512", lambda text: key.sign(text, padding.PKCS1v15(), hashes.SHA512())),
    ]
    for name, sign in forms:
        service.refuses(signed(service.authority, {"alg": name}, sign), AlgorithmNotAllowed)
        service.refuses(signed(service.authority, {"alg": "RS256"}, sign), SignatureInvalid)


def jwk_of(key: Any, **more: Any) -> dict[str, Any]:
    """The public JWK of any key."""
    engines: dict[str, Any] = {"RSA": RSAAlgorithm, "EC": ECAlgorithm, "Ed": OKPAlgorithm}
    (engine,) = (engine for kind, engine in engines.items() if kind in type(key).__name__)
    made: dict[str, Any] = engine.to_jwk(key.public_key(), as_dict=True)
    made.pop("key_ops", None)
    return {**made, **more}


def signer(key: Any) -> Callable[[bytes], bytes]:
    """Signs as an issuer would that holds this key."""
    if isinstance(key, rsa.RSAPrivateKey):
        return lambda text: key.sign(text, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return lambda text: ECAlgorithm(ECAlgorithm.SHA256).sign(text, key)
    return lambda text: bytes(key.sign(text))


def listed(authority: Authority, jwk: dict[str, Any]) -> None:
    """Publish a signed key set which lists this key as active beside the good ones: what a careless issuer would do."""
    good = [
        KeyEntry(jwk=dict(key.public.jwk), state=KeyState.ACTIVE) for key in authority.token_keys.values()
    ]
    bad = KeyEntry.model_construct(jwk={"kid": "odd", **jwk}, state=KeyState.ACTIVE)
    lifetimes = (Lifetime(since=authority.now - 366 * 86400, max_lifetime=authority.max_lifetime),)
    authority.key_set += 1
    keys = IssuerKeys.model_construct(issuer=authority.issuer, lifetimes=lifetimes, keys=(*good, bad))
    key_set = KeySet.model_construct(
        t=authority.now,
        delegations=authority.delegations,
        version=authority.key_set,
        salt=authority.salt,
        leeway=authority.leeway,
        claims=authority.claims,
        issuers=(keys,),
    )
    authority.keys.append(key_set.key, authority.sign(key_set))


ODD_KEYS: list[tuple[str, Callable[[], tuple[Any, dict[str, Any]]]]] = [
    ("use enc", lambda: odd(ed25519.Ed25519PrivateKey.generate(), use="enc")),
    ("key_ops without verify", lambda: odd(ed25519.Ed25519PrivateKey.generate(), key_ops=["deriveKey"])),
    (
        "key_ops that also encrypt",
        lambda: odd(ed25519.Ed25519PrivateKey.generate(), key_ops=["verify", "encrypt"]),
    ),
    ("another algorithm", lambda: odd(ed25519.Ed25519PrivateKey.generate(), alg="ES256")),
    ("the algorithm none", lambda: odd(ed25519.Ed25519PrivateKey.generate(), alg="none")),
    ("another curve", lambda: odd(ec.generate_private_key(ec.SECP384R1()))),
    ("a curve named wrongly", lambda: odd(ec.generate_private_key(ec.SECP256K1()), crv="P-256")),
    ("RSA of 1024 bits", lambda: odd(rsa.generate_private_key(65537, 1024))),  # noqa: S505
    ("RSA with exponent 3", lambda: odd(rsa.generate_private_key(3, 2048))),
    (
        "a symmetric key",
        lambda: (PrivateKey.generate()._key, {"kty": "oct", "k": b64u(b"secret" * 8), "alg": "HS256"}),
    ),
    (
        "a private key",
        lambda: odd(key := ed25519.Ed25519PrivateKey.generate(), d=b64u(key.private_bytes_raw())),
    ),
]


def odd(key: Any, **more: Any) -> tuple[Any, dict[str, Any]]:
    return key, jwk_of(key, **more)


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_t06_a_good_key_that_comes_in_the_same_way_verifies(serve: Serve, alg: str) -> None:
    """So that what follows is refused for the key's sake."""
    service = serve(Authority())
    key = PrivateKey.generate(alg)._key
    listed(service.authority, jwk_of(key, alg=alg, use="sig", key_ops=["verify"]))
    service.accepts(signed(service.authority, {"alg": alg, "kid": "odd"}, signer(key)))


@pytest.mark.parametrize("make", [make for _, make in ODD_KEYS], ids=[name for name, _ in ODD_KEYS])
def test_t06_a_key_for_something_else_or_too_weak_verifies_nothing(
    serve: Serve, make: Callable[[], tuple[Any, dict[str, Any]]]
) -> None:
    """Not even where a delegated key has signed it into the key set; the guard says that it does not understand that."""
    service = serve(Authority(), policy="allow")
    key, jwk = make()
    listed(service.authority, jwk)
    assert service.guard.state is State.INCOMPLETE
    for alg in {"RS256", "ES256", "EdDSA", jwk.get("alg", "EdDSA")}:
        service.refuses(signed(service.authority, {"alg": alg, "kid": "odd"}, signer(key)), UnknownKey)
    service.accepts(service.authority.mint())


def small_order_keys() -> list[bytes]:
    """Encodings of the points of order 1, 2, 4 and 8, of either sign, canonical and not (RFC 8032 §5.1.3)."""
    p = 2**255 - 19
    eighth = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
    plain = [0, 1, p - 1, eighth, p - eighth, p, p + 1]
    return [(y | sign << 255).to_bytes(32, "little") for y in plain for sign in (0, 1)]


def test_t06_a_point_of_small_order_is_no_key(serve: Serve) -> None:
    """Under the neutral point one and the same signature fits every message: the library takes it, we do not."""
    neutral, anything = (1).to_bytes(32, "little"), (1).to_bytes(32, "little") + bytes(32)
    ed25519.Ed25519PublicKey.from_public_bytes(neutral).verify(anything, b"whatever you like")
    service = serve(Authority(), policy="allow")
    for point in small_order_keys():
        listed(service.authority, {"kty": "OKP", "crv": "Ed25519", "x": b64u(point)})
        service.refuses(
            signed(service.authority, {"alg": "EdDSA", "kid": "odd"}, lambda _: anything), UnknownKey
        )


# --- T13


@pytest.mark.parametrize("more", [{}, {"zip": "DEF"}], ids=["plain", "compressed"])
def test_t13_an_encrypted_token_is_refused(service: Service, more: dict[str, str]) -> None:
    header = b64u(canonical_json({"alg": "dir", "enc": "A256GCM", "typ": "at+jwt", **more}))
    service.refuses(f"{header}..{b64u(bytes(12))}.{b64u(bytes(99))}.{b64u(bytes(16))}", TokenMalformed)


@pytest.mark.parametrize("more", [{"enc": "A256GCM"}, {"zip": "DEF"}, {"cty": "JWT"}])
def test_t13_a_signed_token_that_says_to_be_encrypted_compressed_or_nested_is_refused(
    service: Service, more: dict[str, str]
) -> None:
    token = sign_token(claims_of(service.authority.mint()), service.authority.active, more)
    service.refuses(token, TokenMalformed)
