"""The life of an event-signing key, which the delegation list in force decides.

pending      made here, on no list yet
active       signs: of our keys that the list delegates without a bound, the one that stands last
retired      delegated with a bound, or another one signs by now, or left out once it was retired
compromised  was delegated without a bound, and is on the list no more
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from revocast.schemas.delegations import DelegationList, Role

__all__ = ["EVENT_ALGORITHM", "EventKey", "EventKeyState", "active_of", "states_under"]

EVENT_ALGORITHM: Final = "EdDSA"
"""What an event key signs with unless asked otherwise."""


class EventKeyState(StrEnum):
    """Where an event key stands."""

    PENDING = "pending"
    ACTIVE = "active"
    RETIRED = "retired"
    COMPROMISED = "compromised"


@dataclass(frozen=True, slots=True)
class EventKey:
    """An event key of ours: its public side."""

    kid: str
    alg: str
    jwk: Mapping[str, Any]
    state: EventKeyState


def active_of(keys: Iterable[EventKey], listed: DelegationList) -> str | None:
    """The kid that signs under this list; None: it delegates none of ours that may."""
    ours = {key.kid for key in keys}
    kids = [key.public.kid for key in listed.keys if key.role is Role.EVENT and key.bound is None]
    return next((kid for kid in reversed(kids) if kid in ours), None)


def states_under(
    keys: Iterable[EventKey], before: DelegationList | None, listed: DelegationList
) -> dict[str, EventKeyState]:
    """By kid, the states of our keys once `listed` follows `before`."""
    keys = list(keys)
    active = active_of(keys, listed)
    return {key.kid: _state(key, active, before, listed) for key in keys}


def _state(
    key: EventKey, active: str | None, before: DelegationList | None, listed: DelegationList
) -> EventKeyState:
    if key.kid == active:
        return EventKeyState.ACTIVE
    if listed.delegate(key.kid, Role.EVENT) is not None:
        return EventKeyState.RETIRED
    was = before.delegate(key.kid, Role.EVENT) if before else None
    if was is None:
        return key.state
    return EventKeyState.COMPROMISED if was.bound is None else EventKeyState.RETIRED
