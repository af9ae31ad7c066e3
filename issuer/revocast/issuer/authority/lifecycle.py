"""The life of a token-signing key, as a table.

* A key is announced before it signs. It signs once `announce_seconds` have passed since Kafka acknowledged the key set
  that announced it: a service that is current has known it that long.
* The key that it replaces retires: it signs no more, and verifies until its last token has expired
  (`retiring_at + longest lifetime + leeway`).
* Any key can be revoked. It stays listed as revoked until its last token would have expired, so that no service takes
  it from elsewhere.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from revocast.issuer.errors import Conflict
from revocast.schemas.keyset import KeyState

__all__ = ["TRANSITIONS", "KeyState", "Step", "TokenKey", "due", "is_listed", "state_after"]


class Step(StrEnum):
    """What happens to a key."""

    ACTIVATE = "activate"
    SUPERSEDE = "supersede"
    LAPSE = "lapse"
    REVOKE = "revoke"


TRANSITIONS: Final[Mapping[tuple[KeyState, Step], KeyState]] = MappingProxyType(
    {
        (KeyState.ANNOUNCED, Step.ACTIVATE): KeyState.ACTIVE,
        (KeyState.ACTIVE, Step.SUPERSEDE): KeyState.RETIRING,
        (KeyState.RETIRING, Step.LAPSE): KeyState.RETIRED,
        (KeyState.ANNOUNCED, Step.REVOKE): KeyState.REVOKED,
        (KeyState.ACTIVE, Step.REVOKE): KeyState.REVOKED,
        (KeyState.RETIRING, Step.REVOKE): KeyState.REVOKED,
        (KeyState.RETIRED, Step.REVOKE): KeyState.REVOKED,
    }
)
"""Every transition there is. docs/ draws its diagram from this."""


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A token-signing key's public side. Times are seconds since 1970; None: not reached.

    `announced_at` is when Kafka acknowledged the key set that first listed it; `announce_seconds` how long it then
    waits before it signs.
    """

    kid: str
    alg: str
    jwk: Mapping[str, Any]
    state: KeyState
    created_at: int
    announce_seconds: int
    announced_at: int | None = None
    activated_at: int | None = None
    retiring_at: int | None = None
    retired_at: int | None = None
    revoked_at: int | None = None

    @property
    def signs_at(self) -> int | None:
        """From when on an announced key may sign; None while no service can know it."""
        return None if self.announced_at is None else self.announced_at + self.announce_seconds


def state_after(state: KeyState, step: Step) -> KeyState:
    """The state that a step leads to. Raises `Conflict` when the table has no such transition."""
    try:
        return TRANSITIONS[state, step]
    except KeyError:
        raise Conflict(f"key: a key that is {state} cannot {step}") from None


def due(keys: Iterable[TokenKey], now: int, last_token_s: int) -> list[tuple[str, Step]]:
    """The steps that time alone brings, as (kid, step). `last_token_s`: longest lifetime plus leeway, seconds."""
    keys = sorted(keys, key=lambda key: key.created_at)
    ready = [key for key in keys if key.state is KeyState.ANNOUNCED and key.signs_at is not None]
    ready = [key for key in ready if key.signs_at is not None and key.signs_at <= now]
    steps = [
        (key.kid, Step.LAPSE)
        for key in keys
        if key.state is KeyState.RETIRING and (key.retiring_at or 0) + last_token_s <= now
    ]
    for successor in ready:
        steps += [(key.kid, Step.SUPERSEDE) for key in keys if key.state is KeyState.ACTIVE]
        steps.append((successor.kid, Step.ACTIVATE))
        break  # one at a time: the next one follows when this is the active one
    return steps


def is_listed(key: TokenKey, now: int, last_token_s: int) -> bool:
    """Whether the key belongs into the key set."""
    if key.state is KeyState.REVOKED:
        return now < (key.revoked_at or 0) + last_token_s
    return key.state is not KeyState.RETIRED
