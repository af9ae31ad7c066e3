"""What to do with a token while the guard cannot know whether it is current.

* `deny` refuses (503: it is the guard's fault, not the token's).
* `allow` judges by what is known: keys and revocations as of the last news. Not before the first start was complete: then
  there is nothing to judge by.
* `introspect` asks the issuer (RFC 7662), which takes I/O: only who waits can have it (`averify`). Who does not, and whose
  issuer does not answer, is refused. The issuer's word counts before the first start was complete, too.

After `close` no token is judged at all.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from revocast.sdk.errors import GuardClosed, GuardIncomplete, GuardNotReady, GuardStale, GuardUnavailable
from revocast.sdk.freshness import Freshness, State

__all__ = ["Policy", "check_policy", "operation"]

Policy = Literal["deny", "allow", "introspect"]

_UNAVAILABLE: Final[Mapping[State, type[GuardUnavailable]]] = MappingProxyType(
    {
        State.STARTING: GuardNotReady,
        State.READY: GuardStale,  # its time has passed, and nobody came to say so yet
        State.STALE: GuardStale,
        State.INCOMPLETE: GuardIncomplete,
        State.CLOSED: GuardClosed,
    }
)
_ASKING: Final = (
    "The policy is to ask the issuer, which needs a wait: use `await guard.averify(...)` instead of `verify`."
)
_OPERATION: Final[Mapping[Policy, str]] = MappingProxyType(
    {
        "deny": "tokens are refused (policy deny)",
        "allow": "tokens are judged by what is known (policy allow)",
        "introspect": "the issuer is asked about tokens (policy introspect)",
    }
)


def check_policy(policy: Policy, freshness: Freshness) -> None:
    """Raise the `GuardUnavailable` of the present state, which does not hold, unless the policy lets tokens be judged."""
    state = freshness.state
    if policy == "allow" and state not in (State.STARTING, State.CLOSED):
        return
    reason = freshness.reason if state is not State.READY else "nothing was heard in time"
    remedy = _ASKING if policy == "introspect" and state is not State.CLOSED else ""
    raise _UNAVAILABLE[state](reason, remedy)


def operation(policy: Policy, state: State) -> str:
    """What happens to tokens in this state, in plain words."""
    if state is State.READY:
        return "tokens are judged"
    if state is State.CLOSED or (state is State.STARTING and policy == "allow"):
        return "tokens are refused"
    return _OPERATION[policy]
