"""Tokens for tests: correct ones, and any deviation a test wants to write down."""

import hashlib
from collections.abc import Mapping
from typing import Any

from revocast.schemas.jose import PrivateKey, b64u, canonical_json, parse_json, unb64u

__all__ = ["claims_of", "sign_token", "signing_input_hash"]


def sign_token(
    claims: Mapping[str, Any] | bytes,
    key: PrivateKey,
    header: Mapping[str, Any] | bytes | None = None,
) -> str:
    """A compact JWS over `claims`. `header` replaces single members of the usual one; bytes are taken as they are."""
    if not isinstance(header, bytes):
        usual = {"alg": key.alg, "kid": key.kid, "typ": "at+jwt"}
        members = {name: value for name, value in {**usual, **(header or {})}.items() if value is not None}
        header = canonical_json(members)
    payload = claims if isinstance(claims, bytes) else canonical_json(claims)
    signing_input = f"{b64u(header)}.{b64u(payload)}"
    return f"{signing_input}.{b64u(key.sign(signing_input.encode()))}"


def claims_of(token: str) -> dict[str, Any]:
    """The claims, unverified."""
    claims: dict[str, Any] = parse_json(unb64u(token.split(".")[1]))
    return claims


def signing_input_hash(token: str) -> bytes:
    """What names a token without `jti`: SHA-256 of its signing input."""
    return hashlib.sha256(token.rpartition(".")[0].encode()).digest()
