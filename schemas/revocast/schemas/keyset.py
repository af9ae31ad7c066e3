"""The key set: everything a guard needs to judge a token, whole in every version.

* Ordered by (delegations, version); readers take the newest.
* `salt` never changes. `claims` only grows, because a kind's code is its place in the list.
* A key is announced before it signs. Tokens verify under announced (a reader may be one step behind), active and
  retiring keys. A revoked kid stays listed until the longest lifetime has passed.
* `max_lifetime` at a token's `iat` bounds its `exp - iat`, so no token outlives its revocation.
"""

from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import Field, model_validator

from revocast.schemas.errors import SchemaError
from revocast.schemas.events import Base64Url, EventBody, Model, Seconds
from revocast.schemas.jose import PublicKey
from revocast.schemas.selector import MAX_CLAIMS, SALT_SIZE, check_claim_name

__all__ = ["VERIFYING", "IssuerKeys", "KeyEntry", "KeySet", "KeyState", "Lifetime"]


class KeyState(StrEnum):
    """The life of a token-signing key."""

    ANNOUNCED = "announced"
    ACTIVE = "active"
    RETIRING = "retiring"
    RETIRED = "retired"
    REVOKED = "revoked"


VERIFYING: Final = frozenset({KeyState.ANNOUNCED, KeyState.ACTIVE, KeyState.RETIRING})
"""The states under which a token's signature is accepted."""


class Lifetime(Model):
    """From `since` on, a token lives at most `max_lifetime` seconds."""

    since: Seconds
    max_lifetime: int = Field(ge=1, le=366 * 86400)


class KeyEntry(Model):
    """One token-signing key: its public JWK (with `kid`) and its state."""

    jwk: dict[str, Any]
    state: Annotated[KeyState, Field(strict=False)]

    @cached_property
    def public(self) -> PublicKey:
        """The verification key. Raises `JoseError`."""
        return PublicKey.from_jwk(self.jwk)

    @model_validator(mode="after")
    def _is_a_key(self) -> Self:
        if "kid" not in self.jwk:
            raise SchemaError("jwk.kid: missing")
        _ = self.public
        return self


class IssuerKeys(Model):
    """One token issuer's keys and lifetimes; `lifetimes` ascends by `since`."""

    issuer: str = Field(min_length=1)
    lifetimes: Annotated[tuple[Lifetime, ...], Field(strict=False, min_length=1)]
    keys: Annotated[tuple[KeyEntry, ...], Field(strict=False)]

    @model_validator(mode="after")
    def _ordered_and_unique(self) -> Self:
        since = [lifetime.since for lifetime in self.lifetimes]
        if since != sorted(set(since)):
            raise SchemaError("lifetimes: must ascend by since")
        kids = [entry.public.kid for entry in self.keys]
        if len(kids) != len(set(kids)):
            raise SchemaError("keys: a kid stands twice")
        return self

    def max_lifetime(self, iat: int) -> int | None:
        """The longest `exp - iat`, in seconds, for a token issued at `iat`; None before the first entry."""
        for entry in reversed(self.lifetimes):
            if entry.since <= iat:
                return entry.max_lifetime
        return None

    @property
    def longest_lifetime(self) -> int:
        """The longest of all, in seconds: how long a revoked kid must stay listed."""
        return max(entry.max_lifetime for entry in self.lifetimes)


class KeySet(EventBody):
    """A whole key set. `delegations` is the version of the delegation list under which it was signed; `leeway` in seconds."""

    TYPE: ClassVar[str] = "urn:revocast:event:key-set:1"
    TOPIC: ClassVar[str] = "keys"

    delegations: int = Field(ge=1)
    version: int = Field(ge=1)
    salt: Base64Url
    leeway: int = Field(ge=0, le=300)
    claims: Annotated[tuple[str, ...], Field(strict=False, max_length=MAX_CLAIMS)] = ()
    issuers: Annotated[tuple[IssuerKeys, ...], Field(strict=False, min_length=1)]

    @model_validator(mode="after")
    def _well_formed(self) -> Self:
        if len(self.salt) != SALT_SIZE:
            raise SchemaError(f"salt: must be {SALT_SIZE} bytes")
        for name in self.claims:
            check_claim_name(name)
        if len(set(self.claims)) != len(self.claims):
            raise SchemaError("claims: a name stands twice")
        names = [entry.issuer for entry in self.issuers]
        if len(set(names)) != len(names):
            raise SchemaError("issuers: one stands twice")
        return self

    @property
    def jti(self) -> str:
        """`key-set/<delegations>/<version>`."""
        return f"key-set/{self.delegations}/{self.version}"

    @property
    def key(self) -> bytes:
        """The Kafka key, the same as `jti`."""
        return self.jti.encode()

    @property
    def order(self) -> tuple[int, int]:
        """What makes one newer than another."""
        return (self.delegations, self.version)

    def of(self, issuer: str) -> IssuerKeys | None:
        """The keys of a token issuer, compared by exact code points."""
        return next((entry for entry in self.issuers if entry.issuer == issuer), None)

    def check_follows(self, older: "KeySet") -> None:
        """Raise `SchemaError` when this set breaks what an older one promised for ever.

        That a revoked kid never comes back, the reader remembers by itself (`Trust`): it may have left in between.
        """
        if self.salt != older.salt:
            raise SchemaError("salt: changed; it never may")
        if self.claims[: len(older.claims)] != older.claims:
            raise SchemaError("claims: only grow at the end")
        for before in older.issuers:
            now = self.of(before.issuer)
            if now is None:
                continue
            material = {entry.public.kid: entry for entry in now.keys}
            for entry in before.keys:
                same = material.get(entry.public.kid)
                if same is not None and same.jwk != entry.jwk:
                    raise SchemaError(f"keys: kid {entry.public.kid!r} came with other material")
