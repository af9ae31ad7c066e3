"""Which selectors a token has, which rows refuse it, and whether one may be minted now.

* A token is refused if any row of any of its selectors holds: a block always, a cutoff when `floor(iat) <= cutoff`.
* Minting asks the same question about the token it is about to sign. A block refuses. A cutoff of the current second
  would refuse the token at once, so minting waits that second out: it never mints what it would refuse.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from revocast.schemas.jose import b64u
from revocast.schemas.row import Row, Slot
from revocast.schemas.selector import Selector

__all__ = ["MintDecision", "may_mint", "refusing", "selectors_of"]


def selectors_of(
    claims: Mapping[str, Any], kid: str, declared: Sequence[str], signing_input: bytes | None = None
) -> tuple[Selector, ...]:
    """Every selector of a token with these verified claims. `signing_input` names a token that has no `jti`."""
    issuer = claims["iss"]
    found = [Selector.key(issuer, kid), Selector.issuer_wide(issuer)]
    sub, client = _text(claims, "sub"), _text(claims, "client_id") or _text(claims, "azp")
    if jti := _text(claims, "jti"):
        found.append(Selector.token(issuer, jti))
    elif signing_input is not None:
        found.append(Selector.token_hash(issuer, b64u(hashlib.sha256(signing_input).digest())))
    if sid := _text(claims, "sid"):
        found.append(Selector.session(issuer, sid))
    if grant_id := _text(claims, "grant_id"):
        found.append(Selector.grant(issuer, grant_id))
    if sub:
        found.append(Selector.subject(issuer, sub))
    if client:
        found.append(Selector.client(issuer, client))
    if sub and client:
        found.append(Selector.subject_client(issuer, sub, client))
    values = ((name, _text(claims, name)) for name in declared)
    found += [Selector.claim(issuer, name, value) for name, value in values if value]
    return tuple(found)


def refusing(rows: Iterable[Row], iat: float) -> tuple[Row, ...]:
    """Those of a token's rows that refuse it. `iat` in seconds, fractions allowed (RFC 7519 §2)."""
    return tuple(row for row in rows if row.slot is Slot.BLOCK or math.floor(iat) <= row.cutoff)


@dataclass(frozen=True, slots=True)
class MintDecision:
    """Whether a token may be minted: `blocked_by` a row, or not before `wait_until` (seconds), or now."""

    blocked_by: Row | None = None
    wait_until: int | None = None


def may_mint(rows: Iterable[Row], iat: int) -> MintDecision:
    """The decision for a token that would have these live rows and this `iat`."""
    stopping = refusing(rows, iat)
    for row in stopping:
        if row.slot is Slot.BLOCK:
            return MintDecision(blocked_by=row)
    return MintDecision(wait_until=max(row.cutoff for row in stopping) + 1 if stopping else None)


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) and value else None
