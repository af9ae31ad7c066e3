"""When a revocation may be forgotten: when no token that it could match is alive, rounded up.

* One token, its `exp` known: `exp + leeway`. Only its name known: `now + max_lifetime + leeway`.
* A cutoff: `cutoff + max_lifetime + leeway`. An operator may ask for later, never for earlier: a token would outlive
  its revocation.
* A block of anything else than one token, a revoked key and the break-glass included: never, unless the operator says.
"""

from collections.abc import Sequence

from revocast.issuer.authority.revocations import Revocation
from revocast.issuer.errors import InvalidRequest
from revocast.schemas.keyset import Lifetime
from revocast.schemas.row import NEVER, Slot

__all__ = ["ONE_TOKEN", "cutoff_of", "expires_at_of", "lifetime_until", "token_expires_at"]

ONE_TOKEN = frozenset({"token", "token_hash"})


def token_expires_at(exp: int, leeway: int) -> int:
    """For a token whose `exp` is known."""
    return min(exp + leeway, NEVER - 1)


def lifetime_until(lifetimes: Sequence[Lifetime], iat: int) -> int:
    """The longest lifetime, in seconds, of a token issued at or before `iat`."""
    known = [entry.max_lifetime for entry in lifetimes if entry.since <= iat]
    return max(known or [entry.max_lifetime for entry in lifetimes])


def cutoff_of(revocation: Revocation, t: int) -> int:
    """The cutoff to write in a record of time `t`. Raises `InvalidRequest` for one in the future: it would refuse
    tokens that do not exist yet, and minting would have to wait for it."""
    if revocation.slot is Slot.BLOCK:
        if revocation.cutoff is not None:
            raise InvalidRequest("cutoff: a block has none")
        return 0
    cutoff = t if revocation.cutoff is None else revocation.cutoff
    if not 0 <= cutoff <= t:
        raise InvalidRequest("cutoff: must not lie in the future")
    return cutoff


def expires_at_of(revocation: Revocation, t: int, lifetimes: Sequence[Lifetime], leeway: int) -> int:
    """The row's `expires_at` in a record of time `t`. Raises `InvalidRequest` when it is out of range."""
    asked = revocation.expires_at
    if asked is not None and not 0 < asked <= NEVER:
        raise InvalidRequest("expires_at: must be seconds since 1970 that fit 32 bits")
    if revocation.slot is Slot.CUTOFF:
        cutoff = cutoff_of(revocation, t)
        return max(asked or 0, cutoff + lifetime_until(lifetimes, cutoff) + leeway)
    if asked is not None:
        return asked
    if revocation.selector.kind in ONE_TOKEN:
        return t + lifetime_until(lifetimes, t) + leeway
    return NEVER
