"""Strict JOSE: base64url, JSON, JWK and compact JWS, as far as signed events and keys need them.

* base64url has one spelling: no padding, no other alphabet, no stray trailing bits (RFC 7515 §2, RFC 4648 §3.5).
* JSON members are unique, numbers finite, nesting bounded (RFC 8725 §2.4 and the parsers that disagree).
* The algorithm belongs to the key, never to the header (RFC 8725 §3.1). Three are known: RS256, ES256 and EdDSA with
  Ed25519. EdDSA is written, because libraries know it; its newer name `Ed25519` (RFC 9864) is read as the same.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import Algorithm, ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

from revocast.schemas.errors import JoseError

__all__ = [
    "ALGORITHMS",
    "Compact",
    "PrivateKey",
    "PublicKey",
    "b64u",
    "canonical_json",
    "parse_compact",
    "parse_json",
    "same_algorithm",
    "thumbprint",
    "unb64u",
]

ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")

_ENGINES: Final[Mapping[str, Algorithm]] = {
    "RS256": RSAAlgorithm(RSAAlgorithm.SHA256),
    "ES256": ECAlgorithm(ECAlgorithm.SHA256, ec.SECP256R1),
    "EdDSA": OKPAlgorithm(),
}
# RFC 7638 §3.2 and RFC 8037 §2: the members that make the key, in their order.
_THUMBPRINT_MEMBERS: Final = {
    "RSA": ("e", "kty", "n"),
    "EC": ("crv", "kty", "x", "y"),
    "OKP": ("crv", "kty", "x"),
}
# Brackets inside strings must not count: closing ones would hide opening ones. It takes an unfinished string to its end
# and never goes back, so it is linear for any text.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_BASE64URL = re.compile(rb"[A-Za-z0-9_-]*")
_MAX_HEADER: Final = 8192
"""base64url characters. A header is read before anything is verified."""
_MIN_RSA_BITS: Final = 2048
_MAX_RSA_BITS: Final = 8192


def b64u(data: bytes) -> str:
    """base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64u(text: str | bytes) -> bytes:
    """Decode base64url. Raises `JoseError` for any text that `b64u` would not write."""
    try:
        raw = text.encode("ascii") if isinstance(text, str) else text
    except UnicodeEncodeError:
        raise JoseError("base64url: not ASCII") from None
    if len(raw) % 4 == 1 or not _BASE64URL.fullmatch(raw):
        raise JoseError("base64url: a character or the length is not of it")
    data = base64.urlsafe_b64decode(raw + b"=" * (-len(raw) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=") != raw:
        raise JoseError("base64url: trailing bits are set")
    return data


def parse_json(data: bytes, *, max_depth: int = 16) -> Any:
    """Parse UTF-8 JSON. Raises `JoseError` for duplicate members, NaN, Infinity, 1e400, lone surrogates and deep nesting."""
    try:
        text = data.decode("utf-8")
        # Depth is bounded before parsing: the parser recurses.
        _check_depth(data, max_depth)
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_bounded,
        )
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise JoseError(f"json: {type(error).__name__}") from None
    _check_surrogates(text, value)
    return value


def canonical_json(value: object) -> bytes:
    """Compact JSON with sorted members, ASCII only: the form in which events are written."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True, allow_nan=False).encode("ascii")


def same_algorithm(header_alg: object, key_alg: str) -> bool:
    """Whether a header's `alg` is the key's own; `Ed25519` is another name of `EdDSA` here (RFC 9864 §2.2)."""
    return header_alg == key_alg or (header_alg == "Ed25519" and key_alg == "EdDSA")


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """RFC 7638 SHA-256 thumbprint, base64url. Raises `JoseError` when a required member is missing."""
    kty = jwk.get("kty")
    members = _THUMBPRINT_MEMBERS.get(kty) if isinstance(kty, str) else None
    if members is None or any(not isinstance(jwk.get(name), str) for name in members):
        raise JoseError("jwk: kty or a member that the key type requires is missing")
    required = json.dumps({name: jwk[name] for name in members}, separators=(",", ":"), sort_keys=True)
    return b64u(hashlib.sha256(required.encode()).digest())


class PublicKey:
    """A verification key: its `kid`, the one algorithm it may be used with, and its JWK."""

    __slots__ = ("_key", "alg", "jwk", "kid")

    def __init__(self, kid: str, alg: str, jwk: Mapping[str, Any], key: Any) -> None:
        self.kid = kid
        self.alg = alg
        self.jwk = jwk
        self._key = key

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, Any]) -> Self:
        """Read a public JWK (RFC 7517, RFC 8037). Without `kid` its thumbprint is taken.

        Raises `JoseError` when it is private, for encryption, of another type or curve than its `alg`, or too weak.
        """
        kid = jwk.get("kid", None)
        if kid is not None and (not isinstance(kid, str) or not 0 < len(kid) <= 256):
            raise JoseError("jwk.kid: must be a string of 1 to 256 characters")
        if "d" in jwk or "k" in jwk:
            raise JoseError("jwk: holds private material")
        if jwk.get("use", "sig") != "sig":
            raise JoseError("jwk.use: the key is not for signatures")
        operations = jwk.get("key_ops", ["verify"])
        if not isinstance(operations, list) or "verify" not in operations:
            raise JoseError("jwk.key_ops: the key is not for verification")
        alg = _algorithm_of(jwk)
        for name in _THUMBPRINT_MEMBERS[jwk["kty"]]:
            if name not in ("kty", "crv"):
                unb64u(_text(jwk, name))
        try:
            key = type(_ENGINES[alg]).from_jwk(dict(jwk))
        except (PyJWTError, ValueError, UnsupportedAlgorithm):
            raise JoseError("jwk: is not a public key of its type") from None
        _check_strength(key)
        return cls(kid or thumbprint(jwk), alg, jwk, key)

    def verify(self, signing_input: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's over `signing_input`."""
        try:
            return bool(_ENGINES[self.alg].verify(signing_input, self._key, signature))
        except (ValueError, TypeError, PyJWTError):
            return False

    def __repr__(self) -> str:
        return f"PublicKey(kid={self.kid!r}, alg={self.alg!r})"


class PrivateKey:
    """A signing key and its public half. It never shows its material in `repr`."""

    __slots__ = ("_key", "alg", "kid", "public")

    def __init__(self, key: Any, alg: str, kid: str | None = None) -> None:
        if alg not in ALGORITHMS:
            raise JoseError(f"alg: {alg!r} is not one of {', '.join(ALGORITHMS)}")
        members = type(_ENGINES[alg]).to_jwk(key.public_key(), as_dict=True)
        jwk = {name: members[name] for name in _THUMBPRINT_MEMBERS[members["kty"]]}
        self._key = key
        self.alg = alg
        self.kid = kid or thumbprint(jwk)
        self.public = PublicKey.from_jwk({**jwk, "kid": self.kid, "alg": alg, "use": "sig"})

    @classmethod
    def generate(cls, alg: str = "EdDSA", kid: str | None = None) -> Self:
        """A fresh key: RSA 2048, P-256 or Ed25519."""
        if alg == "RS256":
            return cls(rsa.generate_private_key(public_exponent=65537, key_size=_MIN_RSA_BITS), alg, kid)
        if alg == "ES256":
            return cls(ec.generate_private_key(ec.SECP256R1()), alg, kid)
        return cls(ed25519.Ed25519PrivateKey.generate(), alg, kid)

    @classmethod
    def from_pem(cls, pem: bytes, kid: str | None = None, password: bytes | None = None) -> Self:
        """Read a PKCS #8 PEM. Raises `JoseError` when it is none of the three key types, or the password is not right."""
        try:
            key = serialization.load_pem_private_key(pem, password)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            wanted = "an unencrypted private key" if password is None else "a private key under this password"
            raise JoseError(f"pem: is not {wanted}") from None
        if isinstance(key, rsa.RSAPrivateKey):
            return cls(key, "RS256", kid)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return cls(key, "ES256", kid)
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return cls(key, "EdDSA", kid)
        raise JoseError("pem: the key is neither RSA, nor P-256, nor Ed25519")

    def pem(self, password: bytes | None = None) -> bytes:
        """PKCS #8 PEM, encrypted if there is a password; else the caller protects it."""
        pem: bytes = self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption(),
        )
        return pem

    def sign(self, signing_input: bytes) -> bytes:
        """The JWS signature over `signing_input`."""
        return _ENGINES[self.alg].sign(signing_input, self._key)

    def __repr__(self) -> str:
        return f"PrivateKey(kid={self.kid!r}, alg={self.alg!r})"


@dataclass(frozen=True, slots=True)
class Compact:
    """A compact JWS, split and decoded, its signature not verified."""

    header: Mapping[str, Any]
    payload: bytes
    signing_input: bytes
    signature: bytes


def parse_compact(token: str | bytes, max_bytes: int) -> Compact:
    """Split a compact JWS (RFC 7515 §3.1). Raises `JoseError`, which never holds a part of it."""
    if len(token) > max_bytes:
        raise JoseError(f"jws: longer than {max_bytes} bytes")
    try:
        raw = token.encode("ascii") if isinstance(token, str) else token
    except UnicodeEncodeError:
        raise JoseError("jws: not ASCII") from None
    segments = raw.split(b".", 3)
    if len(segments) != 3:
        raise JoseError("jws: must have three segments")
    if len(segments[0]) > _MAX_HEADER:
        raise JoseError(f"jws: the header is longer than {_MAX_HEADER} characters")
    header = parse_json(unb64u(segments[0]), max_depth=4)
    if not isinstance(header, dict):
        raise JoseError("jws: the header is not an object")
    if "crit" in header or "b64" in header:
        raise JoseError("jws: no critical header parameter is understood")
    return Compact(
        header,
        unb64u(segments[1]),
        raw[: len(segments[0]) + 1 + len(segments[1])],
        unb64u(segments[2]),
    )


def _algorithm_of(jwk: Mapping[str, Any]) -> str:
    kty, crv, named = jwk.get("kty"), jwk.get("crv"), jwk.get("alg")
    alg = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}.get(
        (kty, crv) if isinstance(kty, str) and isinstance(crv, str | None) else ("", None)
    )
    if alg is None:
        raise JoseError("jwk.kty: the key is neither RSA, nor P-256, nor Ed25519")
    if named is not None and not same_algorithm(named, alg):
        raise JoseError("jwk.alg: is not the algorithm of this key's type and curve")
    return alg


def _check_strength(key: Any) -> None:
    if isinstance(key, rsa.RSAPublicKey) and not (
        _MIN_RSA_BITS <= key.key_size <= _MAX_RSA_BITS and key.public_numbers().e > 2
    ):
        raise JoseError(
            f"jwk: an RSA key has {_MIN_RSA_BITS} to {_MAX_RSA_BITS} bits and an exponent above 2"
        )


def _text(jwk: Mapping[str, Any], name: str) -> str:
    value = jwk.get(name)
    if not isinstance(value, str):
        raise JoseError(f"jwk.{name}: missing or not a string")
    return value


def _check_depth(data: bytes, max_depth: int) -> None:
    # Anybody can make a reader do this, with half a megabyte of brackets: so it runs in C, a pass for each level.
    brackets = _STRING.sub(b"", data).translate(_ONE_KIND, _NO_BRACKET)
    for _ in range(max_depth):
        brackets = brackets.replace(b"[]", b"")
    if brackets:
        raise JoseError(f"json: nested deeper than {max_depth}, or brackets do not match")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JoseError("json: a member name stands twice")
    return members


def _no_constant(text: str) -> Any:
    raise JoseError(f"json: {text} is not a number")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise JoseError("json: a number is out of range")
    return value


def _bounded(text: str) -> int:
    if len(text) > 20:
        raise JoseError("json: a number is out of range")
    return int(text)


def _check_surrogates(text: str, value: Any) -> None:
    # A lone surrogate can only come from a \u escape, so a text without one need not be walked.
    if "\\u" not in text:
        return
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise JoseError("json: a string holds a lone surrogate") from None
