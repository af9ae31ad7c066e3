"""Strict JOSE: base64url, JWK and compact JWS, as far as signed events, keys and access tokens need them.

* base64url has one spelling: no padding, no other alphabet, no stray trailing bits (RFC 7515 §2, RFC 4648 §3.5).
* A JWS is compact and has one header, an object of bounded size in strict JSON (RFC 7515 §3.1, §4). Parameters that change
  what the payload is are refused: `crit` and `b64` (§4.1.11, RFC 7797), `enc` and `zip` (encryption, compression: RFC 7516
  §4.1), `cty` (a token in a token: RFC 7519 §5.2). Parameters that bring or point at keys are not looked at.
* The algorithm belongs to the key, never to the header (RFC 8725 §3.1). Three are known: RS256, ES256 and EdDSA with
  Ed25519. EdDSA is written, because libraries know it; its newer name `Ed25519` (RFC 9864 §2.2) is read as the same.
* A key is for verifying signatures, of the type and curve that its `alg` says, spelled in one way, and strong.
* No error holds a part of what was read, nor does an error that it came from.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import Algorithm, ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

from revocast.schemas.errors import JoseError
from revocast.schemas.signatures import prepared
from revocast.schemas.strict_json import canonical_json, parse_json

__all__ = [
    "ALGORITHMS",
    "Compact",
    "PrivateKey",
    "PublicKey",
    "b64u",
    "canonical_json",
    "parse_compact",
    "parse_header",
    "parse_json",
    "same_algorithm",
    "split_compact",
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
_TO_BASE64: Final = bytes.maketrans(b"-_+/=", b"+/***")
# By the length modulo 4: what makes it whole, and the characters that leave no bit over at its end.
_PADDING: Final = (b"", b"", b"==", b"=")
_LAST: Final = (frozenset(range(256)), frozenset[int](), frozenset(b"AQgw"), frozenset(b"AEIMQUYcgkosw048"))
# A header is read before anything is verified.
_MAX_HEADER: Final = 8192  # base64url characters
_MAX_HEADER_VALUES: Final = 64
_MAX_HEADER_DEPTH: Final = 4
_NOT_UNDERSTOOD: Final = frozenset({"crit", "b64", "enc", "zip", "cty"})
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_MIN_RSA_BITS: Final = 2048  # RFC 7518 §3.3
_MAX_RSA_BITS: Final = 8192  # a verification takes a millisecond there
_MIN_RSA_EXPONENT: Final = 65537  # FIPS 186-5 §5.1
_MAX_RSA_EXPONENT: Final = 2**32  # a long one makes every verification slow
_P25519: Final = 2**255 - 19
# y of the points of order 1, 2, 4 and 8, whatever their sign. Under such a key a signature of zeros fits any message.
_SMALL_ORDER_Y: Final = frozenset(
    {
        0,
        1,
        _P25519 - 1,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
        _P25519 - 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
    }
)


def b64u(data: bytes) -> str:
    """base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64u(text: str | bytes) -> bytes:
    """Decode base64url. Raises `JoseError` for any text that `b64u` would not write."""
    raw = text if type(text) is bytes else _ascii(text)
    beyond = len(raw) % 4
    if beyond and raw[-1] not in _LAST[beyond]:
        raise JoseError("base64url: the length is not of it, or trailing bits are set")
    try:
        return binascii.a2b_base64(raw.translate(_TO_BASE64) + _PADDING[beyond], strict_mode=True)
    except binascii.Error:
        raise JoseError("base64url: a character is not of it") from None


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

    __slots__ = ("_key", "_verify", "alg", "jwk", "kid")

    def __init__(self, kid: str, alg: str, jwk: Mapping[str, Any], key: Any) -> None:
        self.kid = kid
        self.alg = alg
        self.jwk = jwk
        self._key = key
        self._verify = prepared(key)

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, Any]) -> Self:
        """Read a public JWK (RFC 7517, RFC 8037). Without `kid` its thumbprint is taken.

        Raises `JoseError` when it is private, for encryption, of another type or curve than its `alg`, or too weak.
        """
        kid = jwk.get("kid", None)
        if kid is not None and (not isinstance(kid, str) or not 0 < len(kid) <= 256):
            raise JoseError("jwk.kid: must be a string of 1 to 256 characters")
        if not _PRIVATE_MEMBERS.isdisjoint(jwk):
            raise JoseError("jwk: holds private material")
        if jwk.get("use", "sig") != "sig":
            raise JoseError("jwk.use: the key is not for signatures")
        # RFC 7517 §4.3: no operation twice; a public key that also encrypts would be used for two things.
        if jwk.get("key_ops", ["verify"]) != ["verify"]:
            raise JoseError("jwk.key_ops: the key is not for verification alone")
        alg = _algorithm_of(jwk)
        for name in _THUMBPRINT_MEMBERS[jwk["kty"]]:
            # RFC 7518 §6.3.1.1: n and e begin with no zero octet, or one key would have many names.
            if name not in ("kty", "crv") and unb64u(_text(jwk, name))[:1] == b"\0" and alg == "RS256":
                raise JoseError(f"jwk.{name}: begins with a zero octet")
        try:
            key = type(_ENGINES[alg]).from_jwk(dict(jwk))
        except (PyJWTError, ValueError, UnsupportedAlgorithm):
            raise JoseError("jwk: is not a public key of its type") from None
        _check_strength(key)
        return cls(kid or thumbprint(jwk), alg, jwk, key)

    def verify(self, signing_input: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's over `signing_input`."""
        return self._verify(signing_input, signature)

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
        """A fresh key: RSA 2048, P-256 or Ed25519. Without `kid` it is named by its thumbprint, which begins with no dash."""
        while True:
            key = cls(_fresh(alg), alg, kid)
            # Every 64th thumbprint begins with a dash, and would be an option where an operator gives it to a command.
            if kid or not key.kid.startswith("-"):
                return key

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


def _fresh(alg: str) -> Any:
    if alg == "RS256":
        return rsa.generate_private_key(public_exponent=65537, key_size=_MIN_RSA_BITS)
    if alg == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return ed25519.Ed25519PrivateKey.generate()


class Compact(NamedTuple):
    """A compact JWS, split and decoded, its signature not verified."""

    header: Mapping[str, Any]
    payload: bytes
    signing_input: bytes
    signature: bytes


def split_compact(token: str | bytes, max_bytes: int) -> tuple[bytes, bytes, bytes, bytes]:
    """Header, payload and signature of a compact JWS (RFC 7515 §3.1), as they are spelled, and what was signed.

    Raises `JoseError`, which never holds a part of it.
    """
    if len(token) > max_bytes:
        raise JoseError(f"jws: longer than {max_bytes} bytes")
    raw = _ascii(token)
    segments = raw.split(b".", 3)
    if len(segments) != 3:
        raise JoseError("jws: must have three segments")
    header, payload, signature = segments
    return header, payload, signature, raw[: len(header) + 1 + len(payload)]


def parse_header(segment: bytes) -> Mapping[str, Any]:
    """The header that a segment spells (RFC 7515 §4). Raises `JoseError`, which never holds a part of it."""
    if len(segment) > _MAX_HEADER:
        raise JoseError(f"jws: the header is longer than {_MAX_HEADER} characters")
    header = parse_json(unb64u(segment), max_depth=_MAX_HEADER_DEPTH, max_values=_MAX_HEADER_VALUES)
    if not isinstance(header, dict):
        raise JoseError("jws: the header is not an object")
    if not _NOT_UNDERSTOOD.isdisjoint(header):
        raise JoseError("jws: a header parameter that changes what the payload is (crit, b64, enc, zip, cty)")
    return header


def parse_compact(token: str | bytes, max_bytes: int) -> Compact:
    """Split and decode a compact JWS. Raises `JoseError`, which never holds a part of it."""
    header, payload, signature, signing_input = split_compact(token, max_bytes)
    return Compact(parse_header(header), unb64u(payload), signing_input, unb64u(signature))


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
    if isinstance(key, rsa.RSAPublicKey):
        if not _MIN_RSA_BITS <= key.key_size <= _MAX_RSA_BITS:
            raise JoseError(f"jwk.n: an RSA key has {_MIN_RSA_BITS} to {_MAX_RSA_BITS} bits")
        if not _MIN_RSA_EXPONENT <= key.public_numbers().e < _MAX_RSA_EXPONENT:
            raise JoseError("jwk.e: an RSA exponent is 65537 or more, and of at most 32 bits")
    if isinstance(key, ed25519.Ed25519PublicKey):
        y = int.from_bytes(key.public_bytes_raw(), "little") & (2**255 - 1)
        if y in _SMALL_ORDER_Y or y >= _P25519:  # RFC 8032 §5.1.3: y has one encoding
            raise JoseError("jwk.x: not the point of a key that anybody holds")


def _ascii(text: str | bytes) -> bytes:
    if isinstance(text, bytes):
        return text
    if not text.isascii():
        raise JoseError("base64url: not ASCII")
    return text.encode("ascii")


def _text(jwk: Mapping[str, Any], name: str) -> str:
    value = jwk.get(name)
    if not isinstance(value, str):
        raise JoseError(f"jwk.{name}: missing or not a string")
    return value
