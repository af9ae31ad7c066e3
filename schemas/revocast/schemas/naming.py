"""By which values a token can be named: the rule that issuer and guards share.

A token has `jti`, or else is named by the SHA-256 of its signing input (an ECDSA signature can be rewritten, the signing
input cannot); it has `sid`, `grant_id`, `sub`, a client (`client_id`, else `azp`), the last two together, its key, its
issuer, and every claim that the key set declares.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from revocast.schemas.jose import b64u

__all__ = ["MAX_NAME", "NAMING_CLAIMS", "can_name", "values_of"]

NAMING_CLAIMS: Final = ("jti", "sid", "grant_id", "sub", "client_id", "azp")
"""Registered claims that can name a token. Where present, a verifier requires that they `can_name` it."""

_CLAIM_OF_KIND: Final = {"token": "jti", "session": "sid", "grant": "grant_id", "subject": "sub"}

MAX_NAME: Final = 1024
"""Code points of the longest value that a revocation can name."""


def can_name(value: object) -> bool:
    """Whether a revocation can name this value of a claim: 1 to 1,024 code points, without NUL (PostgreSQL stores none)."""
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME and "\0" not in value


def values_of(kind: str, claims: Mapping[str, Any], kid: str, signing_input: bytes) -> tuple[str, ...] | None:
    """The values of the token's selector of this kind; None: the token has none.

    `kind` is a built-in one or `claim:<name>`; `claims` are verified, their naming claims strings.
    """
    if (claim := _CLAIM_OF_KIND.get(kind)) is not None:
        return _one(claims.get(claim))
    match kind:
        case "token_hash":
            return None if "jti" in claims else (b64u(hashlib.sha256(signing_input).digest()),)
        case "client":
            return _one(claims.get("client_id") or claims.get("azp"))
        case "subject+client":
            sub, client = claims.get("sub"), claims.get("client_id") or claims.get("azp")
            return (sub, client) if sub and client else None
        case "key":
            return (kid,)
        case "issuer":
            return ()
        case _:
            return _one(claims.get(kind.removeprefix("claim:")))


def _one(value: object) -> tuple[str, ...] | None:
    return (value,) if isinstance(value, str) and value else None
