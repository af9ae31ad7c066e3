"""A revocation that is applied while tokens are verified is never missed: in every way in which the two can meet, and in millions.

The two threads change over where a schedule says, at a line or an opcode (interleaving.py).
"""

from collections.abc import Callable, Collection, Iterator
from functools import partial
from types import CodeType, ModuleType
from typing import Final, get_args

import pytest

from revocast.sdk import core, denylist, verifier
from revocast.sdk.core import GuardCore
from tests.sdk.interleaving import Program, Step, explore
from tests.sdk.mutants import code_of
from tests.sdk.race_stories import STORIES, Memory, Story, accepts

# Where the one thread writes what the other one reads. The rest is worked out by each for itself.
SHARED: Final = {
    *(
        "Verifier.recall",
        "Verifier.verify",
        "Verifier._examine",
        "Verifier._check_rows",
        "Verifier._remember",
    ),
    *("Verifier.rows_changed", "Verifier.terms_changed"),
    *(
        "DenyList.apply",
        "DenyList.adopt",
        "DenyList.refusal",
        "DenyList._look_at",
        "DenyList._forget_repeated",
    ),
    *("_look_up", "GuardCore.recall", "GuardCore.verify", "GuardCore.adopt"),
    *("GuardCore._take_record", "GuardCore._take_keys"),
}
MODULES: Final = (core, denylist, verifier)


def shared_code(modules: Collection[ModuleType]) -> set[CodeType]:
    return {code for module in modules for code in code_of(module) if code.co_qualname in SHARED}


def problems(
    story: Story, memory: Memory, code: Collection[CodeType], step: Step, turns: int
) -> Iterator[str]:
    """What went wrong under each schedule: mostly nothing."""
    found: list[str] = []
    cores: list[GuardCore] = []

    def programs(token: str) -> tuple[Program, Program]:
        guard, applied = story.core(memory), list[bool]()
        cores[:] = [guard]
        found.clear()

        def verify() -> None:
            afterwards, accepted = bool(applied), accepts(guard, token, story.now)
            if token == story.bystander:
                found.extend(["the bystander was refused"] if not accepted else [])
            elif accepted and afterwards:
                found.append("accepted although it had been applied")
            elif accepted and story.always:
                found.append("accepted in between")

        def apply() -> None:
            story.apply(guard)
            applied.append(True)

        return verify, apply

    for token in (story.token, story.bystander):
        for _ in explore(partial(programs, token), code, step, turns):
            if accepts(*cores, story.token, story.now):
                found.append("accepted afterwards")
            if not accepts(*cores, story.bystander, story.now):
                found.append("the bystander is refused afterwards")
            yield "; ".join(found)


@pytest.mark.parametrize("tell", STORIES.values(), ids=STORIES)
def test_no_opcode_at_which_the_other_thread_comes_in_misses_a_revocation(tell: Callable[[], Story]) -> None:
    assert set(problems(tell(), "due", shared_code(MODULES), "opcode", 1)) == {""}


@pytest.mark.parametrize("memory", get_args(Memory))
@pytest.mark.parametrize("tell", STORIES.values(), ids=STORIES)
def test_no_line_at_which_the_other_thread_comes_in_misses_a_revocation(
    tell: Callable[[], Story], memory: Memory
) -> None:
    assert set(problems(tell(), memory, shared_code(MODULES), "line", 1)) == {""}
