"""What the guard says of itself, for a health endpoint, a log or a person."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from revocast.schemas.chain import Chain
from revocast.schemas.trust import Trust
from revocast.sdk.denylist import DenyList
from revocast.sdk.freshness import Freshness, State
from revocast.sdk.instant import Instant
from revocast.sdk.keyring import Keyring

__all__ = ["Health", "health_of", "warnings_of"]

_DAY: Final = 86_400
_EXPIRY_WARNING: Final = 60 * _DAY


@dataclass(frozen=True, slots=True)
class Health:
    """A moment's state. Ages in seconds (None: not known yet), `t` in seconds since 1970, `rows` and `keys` are counts.

    `counters` counts records by `<topic>.<outcome>` and refused tokens by `refused.<code>`. `warnings` are sentences.
    """

    state: State
    reason: str
    epoch: int
    n: int
    t: int
    delegations: int
    key_set: int
    link_age: float | None
    authority_age: float | None
    rows: int
    keys: int
    counters: Mapping[str, int]
    warnings: tuple[str, ...]

    @property
    def ready(self) -> bool:
        """Whether tokens are judged on a current state."""
        return self.state is State.READY

    def counting(self, more: Mapping[str, int]) -> "Health":
        """The same, with more counters."""
        return replace(self, counters={**self.counters, **more})

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), "ready": self.ready}


def health_of(
    trust: Trust,
    chain: Chain,
    freshness: Freshness,
    keyring: Keyring,
    denylist: DenyList,
    counters: Mapping[str, int],
    now: Instant,
) -> Health:
    """Put the snapshot together."""
    position, (delegations, key_set) = chain.position, trust.versions
    return Health(
        state=freshness.state,
        reason=freshness.reason,
        epoch=position.epoch if position else 0,
        n=position.n if position else 0,
        t=position.t if position else 0,
        delegations=delegations,
        key_set=key_set,
        link_age=freshness.link_age(now),
        authority_age=freshness.authority_age(now),
        rows=len(denylist),
        keys=len(keyring),
        counters=dict(counters),
        warnings=warnings_of(trust, freshness, now),
    )


def warnings_of(trust: Trust, freshness: Freshness, now: Instant) -> tuple[str, ...]:
    """What needs somebody's attention though tokens are still judged."""
    found: list[str] = []
    age, listed = freshness.authority_age(now), trust.delegations
    if age is not None and age > freshness.limits.authority_alarm:
        found.append("the issuer has signed no new checkpoint for a while: is its relay alive?")
    if listed is not None and listed.expires_at - now.wall < _EXPIRY_WARNING:
        days = max(0, int((listed.expires_at - now.wall) // _DAY))
        found.append(f"the delegation list expires in {days} days: sign a new one with the root key")
    return tuple(found)
