"""Selectors: the one name for everything that can be revoked.

* A selector is (token issuer, kind, values). Kinds are the built-in ones, or `claim:<name>` for a claim that the operator
  declared in the signed key set.
* On the wire a selector is only its fingerprint: the first 11 bytes of SHA-256 over the deployment's salt and the
  length-prefixed issuer, kind and values. Every part carries its length and the kind fixes how many there are, so two
  different selectors never share an encoding.
* Values are compared by exact code points. Nothing is trimmed, folded or normalized.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Self

from revocast.schemas.errors import ClaimUndeclared, SchemaError

__all__ = [
    "BUILT_IN_KINDS",
    "FINGERPRINT_SIZE",
    "FIRST_CLAIM_CODE",
    "MAX_CLAIMS",
    "SALT_SIZE",
    "Selector",
    "check_claim_name",
    "fingerprint",
    "fingerprint_of",
    "fingerprints_of",
    "kind_code",
    "kind_name",
]

FINGERPRINT_SIZE: Final = 11
SALT_SIZE: Final = 32
FIRST_CLAIM_CODE: Final = 32
MAX_CLAIMS: Final = 32

BUILT_IN_KINDS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "token": 0,  # jti
        "token_hash": 1,  # SHA-256 of the signing input, for a token without jti
        "session": 2,  # sid
        "grant": 3,  # grant_id: one authorization, all its refreshes and exchanges
        "subject": 4,  # sub
        "client": 5,  # client_id, else azp
        "subject+client": 6,
        "key": 7,  # kid
        "issuer": 8,  # break-glass: everything the issuer signed
    }
)
_NAMES: Final[Mapping[int, str]] = {code: name for name, code in BUILT_IN_KINDS.items()}
_VALUES_OF_KIND: Final[Mapping[str, int]] = MappingProxyType({"issuer": 0, "subject+client": 2})
_CLAIM_PREFIX: Final = "claim:"
_CLAIM_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:/-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Selector:
    """What a revocation names.

    `issuer` is the token's `iss`; `values` has one string, except for `subject+client` (subject, client) and
    `issuer` (none). Raises `SchemaError` for an unknown kind, a wrong number of values, or an empty or unencodable one.
    """

    issuer: str
    kind: str
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.kind.startswith(_CLAIM_PREFIX):
            check_claim_name(self.kind.removeprefix(_CLAIM_PREFIX))
        elif self.kind not in BUILT_IN_KINDS:
            raise SchemaError(f"kind: {self.kind!r} is neither built in nor of the form claim:<name>")
        expected = _VALUES_OF_KIND.get(self.kind, 1)
        if len(self.values) != expected:
            raise SchemaError(f"values: a {self.kind} selector takes {expected}, got {len(self.values)}")
        for field, text in (("issuer", self.issuer), *(("values", value) for value in self.values)):
            if not text:
                raise SchemaError(f"{field}: must not be empty")
            if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
                raise SchemaError(f"{field}: holds a lone surrogate")

    @classmethod
    def token(cls, issuer: str, jti: str) -> Self:
        """One token, by its `jti` (RFC 7519 §4.1.7)."""
        return cls(issuer, "token", (jti,))

    @classmethod
    def token_hash(cls, issuer: str, digest: str) -> Self:
        """One token without `jti`, by the base64url SHA-256 of its signing input (a signature can be rewritten)."""
        return cls(issuer, "token_hash", (digest,))

    @classmethod
    def session(cls, issuer: str, sid: str) -> Self:
        """All tokens of one session, by `sid`."""
        return cls(issuer, "session", (sid,))

    @classmethod
    def grant(cls, issuer: str, grant_id: str) -> Self:
        """All tokens of one authorization, its refreshes and exchanges, by `grant_id`."""
        return cls(issuer, "grant", (grant_id,))

    @classmethod
    def subject(cls, issuer: str, sub: str) -> Self:
        """All tokens of one subject, by `sub`."""
        return cls(issuer, "subject", (sub,))

    @classmethod
    def client(cls, issuer: str, client_id: str) -> Self:
        """All tokens issued to one client, by `client_id` (RFC 9068), else `azp`."""
        return cls(issuer, "client", (client_id,))

    @classmethod
    def subject_client(cls, issuer: str, sub: str, client_id: str) -> Self:
        """One client's tokens for one subject."""
        return cls(issuer, "subject+client", (sub, client_id))

    @classmethod
    def key(cls, issuer: str, kid: str) -> Self:
        """Everything that one key signed."""
        return cls(issuer, "key", (kid,))

    @classmethod
    def issuer_wide(cls, issuer: str) -> Self:
        """Everything that the issuer signed (break-glass)."""
        return cls(issuer, "issuer", ())

    @classmethod
    def claim(cls, issuer: str, name: str, value: str) -> Self:
        """All tokens in which the declared claim `name` has this value."""
        return cls(issuer, _CLAIM_PREFIX + name, (value,))


def fingerprint(salt: bytes, selector: Selector) -> bytes:
    """The 11 bytes that stand for the selector in this deployment. `salt` is the key set's, 32 bytes."""
    return fingerprint_of(salt, selector.issuer, selector.kind, selector.values)


def fingerprint_of(salt: bytes, issuer: str, kind: str, values: Sequence[str]) -> bytes:
    """The same, of parts that were checked as `Selector` checks them: for every new token, so without another object."""
    text = _opening(salt, issuer, kind)
    for value in values:
        text += _prefixed(value.encode())
    return hashlib.sha256(text).digest()[:FINGERPRINT_SIZE]


def fingerprints_of(salt: bytes, issuer: str, kind: str, values: Sequence[bytes]) -> list[bytes]:
    """Those of many selectors of one value each, which is given in UTF-8."""
    opening, sha256 = _opening(salt, issuer, kind), hashlib.sha256
    openings = {length: opening + length.to_bytes(4, "big") for length in set(map(len, values))}
    return [sha256(openings[len(value)] + value).digest()[:FINGERPRINT_SIZE] for value in values]


@lru_cache(maxsize=256)
def _opening(salt: bytes, issuer: str, kind: str) -> bytes:
    """What all values of a kind begin with, of which there are few."""
    return _prefixed(salt) + _prefixed(issuer.encode()) + _prefixed(kind.encode())


def _prefixed(part: bytes) -> bytes:
    return len(part).to_bytes(4, "big") + part


def kind_code(kind: str, claims: Sequence[str]) -> int:
    """The 6-bit code of a kind. `claims` is the key set's declared list, in its order.

    Raises `ClaimUndeclared` for a claim that is not in it.
    """
    if not kind.startswith(_CLAIM_PREFIX):
        return BUILT_IN_KINDS[kind]
    name = kind.removeprefix(_CLAIM_PREFIX)
    try:
        return FIRST_CLAIM_CODE + claims.index(name)
    except ValueError:
        raise ClaimUndeclared(f"claim {name!r} is not declared; declare it in the key set first") from None


def kind_name(code: int, claims: Sequence[str]) -> str:
    """The inverse of `kind_code`. Raises `ClaimUndeclared` for a code that this key set does not know."""
    if FIRST_CLAIM_CODE <= code < FIRST_CLAIM_CODE + len(claims):
        return _CLAIM_PREFIX + claims[code - FIRST_CLAIM_CODE]
    if code in _NAMES:
        return _NAMES[code]
    raise ClaimUndeclared(f"kind {code} is not declared in this key set")


def check_claim_name(name: str) -> None:
    """Raise `SchemaError` unless `name` can be declared as a claim."""
    if not _CLAIM_NAME.fullmatch(name):
        raise SchemaError(
            "claim: a name starts with a letter or _ and has at most 64 of A-Z a-z 0-9 _ . : / -"
        )
