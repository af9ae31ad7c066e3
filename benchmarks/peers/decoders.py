"""Libraries that decode a JWT: one call that verifies the signature with a key prepared once, and `exp`, `aud` and `iss`."""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, Protocol

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from benchmarks.peers.elsewhere import Elsewhere
from revocast.schemas.jose import PublicKey
from revocast.testing import Authority

__all__ = ["FULL", "SIGNATURE", "Decode", "Decoder", "Here", "decoders"]

Decode = Callable[[str], object]
"""Raises for a token that it does not take."""

SIGNATURE: Final = "signature alone"
_ELSEWHERE: Final = "ryjwt, newer Python"
FULL: Final = ("PyJWT", "joserfc", "Authlib", "oxyjwt", "webtoken", "ryjwt", _ELSEWHERE)
"""Those that decode the whole token."""


class Decoder(Protocol):
    """A library, set up for one key."""

    def decode(self, token: str) -> object:
        """Raises for a token that it refuses."""

    def turn(self, tokens: Sequence[str]) -> Callable[[], object]:
        """What decodes all of these, for timing."""


class Here:
    """A decoder in this process."""

    def __init__(self, decode: Decode) -> None:
        self.decode = decode

    def turn(self, tokens: Sequence[str]) -> Callable[[], None]:
        """A plain loop."""
        return partial(_each, self.decode, tokens)


@contextmanager
def decoders(authority: Authority) -> Iterator[tuple[dict[str, Decoder], list[str]]]:
    """By name, for the authority's active key and audience; and why those that are missing are."""
    terms = (authority.active.public, authority.issuer, authority.audience, authority.active.alg)
    found: dict[str, Decoder] = {}
    missing = []
    for name, make in _MAKERS.items():
        try:
            found[name] = Here(make(*terms))
        except ImportError as error:
            if name != "ryjwt":
                missing.append(f"{name} is not measured: {error}.")
    elsewhere = None
    if "ryjwt" not in found:
        try:
            found[_ELSEWHERE] = elsewhere = Elsewhere(_pem(terms[0]), *terms[1:])
        except ImportError as error:
            missing.append(f"ryjwt is not measured: {error}.")
    try:
        yield found, missing
    finally:
        if elsewhere is not None:
            elsewhere.close()


def _each(judge: Decode, tokens: Sequence[str]) -> None:
    for token in tokens:
        judge(token)


def _signature(key: PublicKey, issuer: str, audience: str, alg: str) -> Decode:
    def judge(token: str) -> object:
        head, _, tail = token.rpartition(".")
        assert key.verify(head.encode(), base64.urlsafe_b64decode(tail + "=" * (-len(tail) % 4)))
        return None

    return judge


def _pem(key: PublicKey) -> bytes:
    import jwt

    made: Any = jwt.PyJWK(dict(key.jwk)).key
    return bytes(made.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def _pyjwt(key: PublicKey, issuer: str, audience: str, alg: str) -> Decode:
    import jwt

    prepared = jwt.PyJWK(dict(key.jwk)).key
    return lambda token: jwt.decode(token, prepared, [alg], audience=audience, issuer=issuer)


def _joserfc(key: PublicKey, issuer: str, audience: str, alg: str) -> Decode:
    from joserfc import jwk
    from joserfc import jwt as jose

    prepared: Any = jwk.import_key(dict(key.jwk))
    claims = jose.JWTClaimsRegistry(
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": audience},
        exp={"essential": True},
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
        claims.validate()
        return claims

    return decode


def _oxyjwt(key: PublicKey, issuer: str, audience: str, alg: str) -> Decode:
    import oxyjwt

    read: Any = {"RS256": "from_rsa_pem", "ES256": "from_ec_pem", "EdDSA": "from_ed_pem"}[alg]
    prepared: Any = getattr(oxyjwt.DecodingKey, read)(_pem(key))
    decode: Any = oxyjwt.decode
    return lambda token: decode(token, prepared, [alg], audience=audience, issuer=issuer)


def _webtoken(key: PublicKey, issuer: str, audience: str, alg: str) -> Decode:
    import webtoken

    prepared: Any = webtoken.PyJWK(dict(key.jwk))
    decode: Any = webtoken.decode
    return lambda token: decode(token, prepared, [alg], audience=audience, issuer=issuer)


def _ryjwt(key: PublicKey, issuer: str, audience: str, alg: str) -> Decode:
    import ryjwt

    prepared: Any = ryjwt.PublicKey(_pem(key), algorithms=[alg], audience=audience, issuer=issuer)
    decode: Decode = prepared.decode
    return decode


_MAKERS: Final[Mapping[str, Callable[[PublicKey, str, str, str], Decode]]] = {
    SIGNATURE: _signature,
    "PyJWT": _pyjwt,
    "joserfc": _joserfc,
    "Authlib": _authlib,
    "oxyjwt": _oxyjwt,
    "webtoken": _webtoken,
    "ryjwt": _ryjwt,
}
