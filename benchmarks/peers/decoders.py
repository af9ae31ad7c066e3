"""Libraries that decode a JWT: one call that verifies the signature with a key prepared once, and `exp`, `aud` and `iss`.

The clock of the authority in memory is not today's: its tokens are valid in the future, so that `exp` is looked at and holds.
"""

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from revocast.schemas.jose import PublicKey

__all__ = ["FULL", "Decode", "decoders"]

Decode = Callable[[str], object]
"""Raises for a token that it does not take."""

FULL: Final = ("PyJWT", "joserfc", "Authlib", "oxyjwt", "webtoken", "ryjwt")
_SIGNATURE: Final = "signature alone"


def decoders(key: PublicKey, issuer: str, audience: str, alg: str) -> tuple[dict[str, Decode], list[str]]:
    """Each library's way by name, and why those that are missing are."""
    found: dict[str, Decode] = {_SIGNATURE: _signature(key)}
    missing = []
    for name, make in _MAKERS.items():
        try:
            found[name] = make(key, issuer, audience, alg)
        except ImportError as error:
            missing.append(f"{name} is not measured: {error}.")
    return found, missing


def _signature(key: PublicKey) -> Decode:
    def judge(token: str) -> object:
        head, _, tail = token.rpartition(".")
        assert key.verify(head.encode(), base64.urlsafe_b64decode(tail + "=" * (-len(tail) % 4)))
        return None

    return judge


def _pem(key: PublicKey) -> bytes:
    import jwt

    made: Any = jwt.PyJWK(dict(key.jwk)).key
    pem: bytes = made.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


def _pyjwt(key: PublicKey, issuer: str, audience: str, alg: str) -> Decode:
    import jwt

    prepared = jwt.PyJWK(dict(key.jwk)).key
    options: Any = {"verify_iat": False}  # issued in what is the future here
    return lambda token: jwt.decode(token, prepared, [alg], options, audience=audience, issuer=issuer)


def _joserfc(key: PublicKey, issuer: str, audience: str, alg: str) -> Decode:
    from joserfc import jwk
    from joserfc import jwt as jose

    # EdDSA is "not recommended" there (RFC 9864 has Ed25519), and taken when it is asked for by name.
    prepared: Any = jwk.import_key(dict(key.jwk))
    claims = jose.JWTClaimsRegistry(
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": audience},
        exp={"essential": True},
        leeway=10**10,  # the same: `iat` is looked at whether one wants it or not
    )

    def decode(token: str) -> object:
        decoded = jose.decode(token, prepared, algorithms=[alg])
        claims.validate(decoded.claims)
        return decoded.claims

    return decode


def _authlib(key: PublicKey, issuer: str, audience: str, alg: str) -> Decode:
    from authlib.jose import JsonWebKey, JsonWebToken

    prepared: Any = JsonWebKey.import_key(dict(key.jwk))
    decoder: Any = JsonWebToken([alg])
    options = {
        "iss": {"essential": True, "value": issuer},
        "aud": {"essential": True, "value": audience},
        "exp": {"essential": True},
    }

    def decode(token: str) -> object:
        claims = decoder.decode(token, prepared, claims_options=options)
        claims.validate(leeway=10**10)
        return claims

    return decode


_MAKERS: Final[Mapping[str, Callable[[PublicKey, str, str, str], Decode]]] = {
    "PyJWT": _pyjwt,
    "joserfc": _joserfc,
    "Authlib": _authlib,
}
