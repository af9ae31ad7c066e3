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
_P256_SIZE: Final = 32


def prepared(key: Any) -> Verify:
    """The check of an RSA, P-256 or Ed25519 public key of `cryptography`."""
    if isinstance(key, rsa.RSAPublicKey):
        return _answering(key.verify, padding.PKCS1v15(), _SHA256)
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _of_jws(_answering(key.verify, ec.ECDSA(_SHA256)))
    assert isinstance(key, ed25519.Ed25519PublicKey)
    return _answering(key.verify)


def _answering(verify: Callable[..., None], *scheme: Any) -> Verify:
    def check(signing_input: bytes, signature: bytes) -> bool:
        try:
            verify(signature, signing_input, *scheme)
        except InvalidSignature:
            return False
        return True

    return check


def _of_jws(check_der: Verify) -> Verify:
    """ES256 in the form of JWS, by a check of the form of DER."""

    def check(signing_input: bytes, signature: bytes) -> bool:
        if len(signature) != 2 * _P256_SIZE:
            return False
        r, s = int.from_bytes(signature[:_P256_SIZE]), int.from_bytes(signature[_P256_SIZE:])
        return check_der(signing_input, encode_dss_signature(r, s))

    return check
