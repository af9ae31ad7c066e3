"""Signature checks, made ready once for each key: RS256, ES256 and Ed25519 on `cryptography`.

* A check answers whether these bytes are the key's signature over that text. It raises for no bytes.
* A signature has one form: that of JWS. For ES256 these are r and s, 32 bytes each (RFC 7518 §3.4), never DER; ranges
  (0 < r, s < n; S < L; the RSA representative < n) are the library's to check.
* The key was read and found strong before (jose.py), and brings its algorithm: a check cannot be told another.
"""

from collections.abc import Callable
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

__all__ = ["Verify", "prepared"]

Verify = Callable[[bytes, bytes], bool]
"""Signing input and signature in, verdict out."""

_SHA256: Final = hashes.SHA256()
_PKCS1: Final = padding.PKCS1v15()
_ECDSA: Final = ec.ECDSA(_SHA256)
_P256_SIZE: Final = 32


def prepared(key: Any) -> Verify:
    """The check of an RSA, P-256 or Ed25519 public key of `cryptography`."""
    if isinstance(key, rsa.RSAPublicKey):
        return _rs256(key)
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _es256(key)
    assert isinstance(key, ed25519.Ed25519PublicKey)
    return _ed25519(key)


def _rs256(key: rsa.RSAPublicKey) -> Verify:
    verify = key.verify

    def check(signing_input: bytes, signature: bytes) -> bool:
        try:
            verify(signature, signing_input, _PKCS1, _SHA256)
        except InvalidSignature:
            return False
        return True

    return check


def _es256(key: ec.EllipticCurvePublicKey) -> Verify:
    verify = key.verify

    def check(signing_input: bytes, signature: bytes) -> bool:
        if len(signature) != 2 * _P256_SIZE:
            return False
        r, s = int.from_bytes(signature[:_P256_SIZE]), int.from_bytes(signature[_P256_SIZE:])
        try:
            verify(encode_dss_signature(r, s), signing_input, _ECDSA)
        except InvalidSignature:
            return False
        return True

    return check


def _ed25519(key: ed25519.Ed25519PublicKey) -> Verify:
    verify = key.verify

    def check(signing_input: bytes, signature: bytes) -> bool:
        try:
            verify(signature, signing_input)
        except InvalidSignature:
            return False
        return True

    return check
