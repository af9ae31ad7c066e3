"""The state machines, drawn from the tables that run them."""

from collections.abc import Iterable

from revocast.issuer.authority import lifecycle
from revocast.sdk import freshness

__all__ = ["state_diagrams"]

_PAGE = """# State machines

Written from the code by `make docs`.

## A token-signing key

`issuer/revocast/issuer/authority/lifecycle.py`. Tokens verify under keys that are announced, active or retiring.

{keys}
## A guard

`consumer_sdk/revocast/sdk/freshness.py`. It verifies when it is ready; when it is stale or incomplete, its policy says.

{guard}"""


def state_diagrams() -> str:
    """`docs/reference/states.md`."""
    keys = [(state, after, step) for (state, step), after in lifecycle.TRANSITIONS.items()]
    guard = [
        (state, after, finding)
        for state, findings in freshness.TRANSITIONS.items()
        for finding, after in findings.items()
        if after != state
    ]
    return _PAGE.format(
        keys=_diagram(lifecycle.KeyState.ANNOUNCED, keys), guard=_diagram(freshness.State.STARTING, guard)
    )


def _diagram(first: str, transitions: Iterable[tuple[str, str, str]]) -> str:
    lines = [f"    {state} --> {after}: {why}" for state, after, why in transitions]
    return "\n".join(["```mermaid", "stateDiagram-v2", f"    [*] --> {first}", *lines, "```", ""])
