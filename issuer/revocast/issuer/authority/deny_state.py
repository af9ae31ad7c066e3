"""Which selectors a token has, which rows refuse it, and whether one may be minted now.

* A token is refused if any row of any of its selectors holds: a block always, a cutoff when `floor(iat) <= cutoff`.
* Minting asks the same question about the token it is about to sign. A block refuses. A cutoff of the current second
  would refuse the token at once, so minting waits that second out: it never mints what it would refuse.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from revocast.schemas.naming import values_of
from revocast.schemas.row import Row, Slot
from revocast.schemas.selector import BUILT_IN_KINDS, Selector

__all__ = ["MintDecision", "may_mint", "refusing", "selectors_of"]


def selectors_of(
    claims: Mapping[str, Any], kid: str, declared: Sequence[str], signing_input: bytes = b""
) -> tuple[Selector, ...]:
    """Every selector of a token with these verified claims. `signing_input` names a token that has no `jti`."""
    kinds = (*BUILT_IN_KINDS, *(f"claim:{name}" for name in declared))
    named = ((kind, values_of(kind, claims, kid, signing_input)) for kind in kinds)
    return tuple(Selector(claims["iss"], kind, values) for kind, values in named if values is not None)


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
