"""The terms under which this authority issues and revokes: what the key set signs, beside the keys."""

from collections.abc import Sequence
from dataclasses import dataclass

from revocast.issuer.authority.expiry import cutoff_of, expires_at_of
from revocast.issuer.authority.lifecycle import TokenKey, is_listed
from revocast.issuer.authority.revocations import Lift, Named, Revocation, Unnamed, Written
from revocast.issuer.errors import UnknownIssuer
from revocast.schemas.keyset import IssuerKeys, KeyEntry, KeySet, Lifetime
from revocast.schemas.row import Row, Slot
from revocast.schemas.selector import fingerprint, kind_code

__all__ = ["Terms"]


@dataclass(frozen=True, slots=True)
class Terms:
    """`leeway`, `announce_seconds` and `token_lifetime` (the default of a token) in seconds; `root` is a thumbprint.

    `distrusted`: the root's break-glass, every service refuses every token of this issuer.
    """

    issuer: str
    root: str
    salt: bytes
    leeway: int
    claims: tuple[str, ...]
    lifetimes: tuple[Lifetime, ...]
    announce_seconds: int
    token_lifetime: int
    distrusted: bool = False

    @property
    def last_token_s(self) -> int:
        """How long after a key's last signature a token of it may be accepted, seconds."""
        return max(entry.max_lifetime for entry in self.lifetimes) + self.leeway

    def name(self, selector: Named) -> tuple[bytes, int]:
        """A selector's fingerprint and kind code. Raises `ClaimUndeclared`."""
        code = kind_code(selector.kind, self.claims)
        if isinstance(selector, Unnamed):
            return selector.fingerprint, code
        return fingerprint(self.salt, selector), code

    def rows(self, revocations: Sequence[Revocation], lifts: Sequence[Lift], t: int) -> list[Written]:
        """The rows of a record of time `t`, lifts first: shortening is a lift, then a revocation."""
        return [self._lifted(lift) for lift in lifts] + [self._revoked(entry, t) for entry in revocations]

    def times(self, revocation: Revocation, t: int) -> tuple[int, int]:
        """Cutoff and `expires_at` of its row in a record of time `t`; its values do not matter. Raises `InvalidRequest`."""
        return cutoff_of(revocation, t), expires_at_of(revocation, t, self.lifetimes, self.leeway)

    def key_set(self, keys: Sequence[TokenKey], *, delegations: int, version: int, t: int) -> KeySet:
        """The key set of time `t`. `keys` are all token keys; those that are over are left out."""
        listed = [key for key in keys if is_listed(key, t, self.last_token_s)]
        entries = tuple(
            KeyEntry(jwk=dict(key.jwk), state=key.state)
            for key in sorted(listed, key=lambda key: (key.created_at, key.kid))
        )
        own = IssuerKeys(issuer=self.issuer, lifetimes=self.lifetimes, keys=entries)
        return KeySet(
            t=t,
            delegations=delegations,
            version=version,
            salt=self.salt,
            leeway=self.leeway,
            claims=self.claims,
            issuers=(own,),
        )

    def _lifted(self, lift: Lift) -> Written:
        self._check_issuer(lift.selector)
        return Written(lift.selector, Row.for_lift(*self.name(lift.selector), lift.slot))

    def _revoked(self, revocation: Revocation, t: int) -> Written:
        self._check_issuer(revocation.selector)
        name = self.name(revocation.selector)
        cutoff, expires_at = self.times(revocation, t)
        if revocation.slot is Slot.BLOCK:
            return Written(revocation.selector, Row.for_block(*name, expires_at))
        return Written(revocation.selector, Row.for_cutoff(*name, cutoff, expires_at))

    def _check_issuer(self, selector: Named) -> None:
        if selector.issuer != self.issuer:
            raise UnknownIssuer(f"issuer: this authority revokes for {self.issuer} only")
