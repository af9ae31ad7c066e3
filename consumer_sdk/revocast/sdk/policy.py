"""What to do with a token while the guard cannot know whether it is current.

`deny` refuses (503: it is the guard's fault, not the token's). `allow` judges by what is known: keys and revocations as of
the last news. Neither judges before the first start was complete, nor after `close`: then there is nothing to judge by.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from revocast.sdk.errors import GuardClosed, GuardIncomplete, GuardNotReady, GuardStale, GuardUnavailable
from revocast.sdk.freshness import Freshness, State

__all__ = ["Policy", "check_policy"]

Policy = Literal["deny", "allow"]

_UNAVAILABLE: Final[Mapping[State, type[GuardUnavailable]]] = MappingProxyType(
    {
        State.STARTING: GuardNotReady,
        State.READY: GuardStale,  # its time has passed, and nobody came to say so yet
        State.STALE: GuardStale,
        State.INCOMPLETE: GuardIncomplete,
        State.CLOSED: GuardClosed,
    }
)


def check_policy(policy: Policy, freshness: Freshness) -> None:
    """Raise the `GuardUnavailable` of the present state, which does not hold, unless the policy lets tokens be judged."""
    state = freshness.state
    if policy == "allow" and state not in (State.STARTING, State.CLOSED):
        return
    raise _UNAVAILABLE[state](freshness.reason if state is not State.READY else "nothing was heard in time")
