"""A revocation that is applied while tokens are verified is never missed: in every way in which the two can meet, and in millions.

The two threads change over where a schedule says, at a line or an opcode (interleaving.py). The mistakes against which the order
of things in verifier.py, denylist.py and core.py stands are made here, too, and each is found.
"""

from collections.abc import Callable, Collection, Iterator
from types import CodeType, ModuleType
from typing import Final, NamedTuple, get_args

import pytest

from revocast.sdk import core, denylist, verifier
from revocast.sdk.core import GuardCore
from tests.sdk.interleaving import Program, Step, explore
from tests.sdk.mutants import code_of, mutant
from tests.sdk.race import race
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
MANY: Final = 2_000_000


def shared_code(modules: Collection[ModuleType]) -> set[CodeType]:
    return {code for module in modules for code in code_of(module) if code.co_qualname in SHARED}


def problems(
    story: Story, memory: Memory, code: Collection[CodeType], step: Step, turns: int
) -> Iterator[str]:
    """What went wrong under each schedule: mostly nothing."""
    for token in (story.token, story.bystander):
        attempt = _Attempt(story, memory, token)
        for _ in explore(attempt.programs, code, step, turns):
            yield "; ".join(attempt.problems())


class _Attempt:
    """One token is verified while the story happens: again for each schedule."""

    core: GuardCore
    applied: bool
    accepted: bool
    afterwards: bool

    def __init__(self, story: Story, memory: Memory, token: str) -> None:
        self.story = story
        self.memory = memory
        self.token = token

    def programs(self) -> tuple[Program, Program]:
        self.core, self.applied = self.story.core(self.memory), False
        return self._verify, self._apply

    def _verify(self) -> None:
        self.afterwards = self.applied
        self.accepted = accepts(self.core, self.token, self.story.now)

    def _apply(self) -> None:
        self.story.apply(self.core)
        self.applied = True

    def problems(self) -> Iterator[str]:
        story = self.story
        if self.token == story.bystander and not self.accepted:
            yield "the bystander was refused"
        if self.token == story.token and self.accepted and (self.afterwards or story.always):
            yield "accepted afterwards" if self.afterwards else "accepted in between"
        if accepts(self.core, story.token, story.now):
            yield "remembered as good"
        if not accepts(self.core, story.bystander, story.now):
            yield "the bystander is refused from now on"


@pytest.mark.parametrize("tell", STORIES.values(), ids=STORIES)
def test_no_opcode_at_which_the_other_thread_comes_in_misses_a_revocation(tell: Callable[[], Story]) -> None:
    assert set(problems(tell(), "due", shared_code(MODULES), "opcode", 1)) == {""}


@pytest.mark.parametrize("name", ["a block", "a key is revoked"])
def test_no_two_lines_between_which_the_other_thread_runs_miss_a_revocation(name: str) -> None:
    assert set(problems(STORIES[name](), "due", shared_code(MODULES), "line", 2)) == {""}


@pytest.mark.parametrize("memory", get_args(Memory))
@pytest.mark.parametrize("tell", STORIES.values(), ids=STORIES)
def test_no_line_at_which_the_other_thread_comes_in_misses_a_revocation(
    tell: Callable[[], Story], memory: Memory
) -> None:
    assert set(problems(tell(), memory, shared_code(MODULES), "line", 1)) == {""}


def test_two_million_verifications_while_revocations_are_applied_miss_none() -> None:
    figures = race(MANY)
    assert (figures.missed, figures.refused) == (0, 0)
    assert figures.verifications >= MANY
    assert figures.overlapping > MANY // 10


# --- the mistakes


class Mistake(NamedTuple):
    """What is wrong in which module, and the story that brings it out."""

    module: ModuleType
    edits: tuple[tuple[str, str], ...]
    story: str
    memory: Memory = "due"
    step: Step = "line"


MISTAKES: Final = {
    "the generation is raised before the rows are written": Mistake(
        core,
        (
            (
                "        self._building.apply(",
                "        verifier.rows_changed()\n        self._building.apply(",
            ),
            ("            if record.rows:\n                verifier.rows_changed()", "            pass"),
        ),
        "a block",
    ),
    "the generation is not raised": Mistake(
        core,
        (("            if record.rows:\n                verifier.rows_changed()", "            pass"),),
        "a block",
        "known",
    ),
    "the generation is noted after the look-up": Mistake(
        verifier, (("known.generation = generation", "known.generation = self._generation"),), "a block"
    ),
    "the generation of a new token is noted after the look-up": Mistake(
        verifier,
        (
            (
                "            self._check_rows(known.names)\n        elif",
                "            self._check_rows(known.names)\n            known.generation = self._generation\n        elif",
            ),
        ),
        "a block",
        "new",
    ),
    "the era is read before the generation": Mistake(
        verifier,
        (("generation, era = self._generation, self._era", "era, generation = self._era, self._generation"),),
        "a key is revoked",
        step="opcode",
    ),
    "the generation is raised before the era": Mistake(
        verifier,
        (
            (
                "        self._era += 1  # first: see `verify`\n        self._generation += 1",
                "        self._generation += 1\n        self._era += 1",
            ),
        ),
        "a key is revoked",
    ),
    "the era is noted after the keys were looked at": Mistake(
        verifier,
        (("since, until, era, generation)", "since, until, self._era, self._generation)"),),
        "a key is revoked",
        "new",
    ),
    "the era is raised before the keys are changed": Mistake(
        core,
        (
            (
                "            foreign = foreign_issuers(self._foreign, self.trust)\n",
                "            foreign = foreign_issuers(self._foreign, self.trust)\n            self.verifier.terms_changed()\n",
            ),
            ("            )\n            self.verifier.terms_changed()", "            )"),
        ),
        "a key is revoked",
        "new",
    ),
    "the era is raised before the tables swap": Mistake(
        core,
        (
            (
                "            verifier.denylist = self._building\n            if",
                "            verifier.terms_changed()\n            verifier.denylist = self._building\n            if",
            ),
            ("= record.t\n            verifier.terms_changed()", "= record.t"),
        ),
        "an epoch begins in which it is revoked",
    ),
    "time is raised after the rows": Mistake(
        core,
        (
            (
                "        verifier.newest_t = max(verifier.newest_t, record.t)\n        if self._building",
                "        if self._building",
            ),
            (
                "record.rows, record.t, record.n)",
                "record.rows, record.t, record.n)\n        verifier.newest_t = max(verifier.newest_t, record.t)",
            ),
        ),
        "a row expires, and so has its token",
    ),
    "time is read before the look-up": Mistake(
        verifier,
        (
            ("        now = wall if wall > self.newest_t else self.newest_t\n", ""),
            (
                "        known = self._young.get(token)\n        young",
                "        now = wall if wall > self.newest_t else self.newest_t\n        known = self._young.get(token)\n        young",
            ),
        ),
        "a row expires, and so has its token",
    ),
    "lifts are written first": Mistake(
        denylist,
        (("held = step_packed(held, row, now)", 'held = b""'),),
        "a block is lifted and set again in one record",
    ),
    "what goes is taken out before the reference changes": Mistake(
        denylist,
        (
            (
                "        self._look_at(t, overlay, base)\n        overlay.update(going)",
                "        overlay.update(going)\n        self._look_at(t, overlay, base)",
            ),
        ),
        "a block goes from the subject to the session",
    ),
    "a look-up that finds nothing does not look whether the reference has changed": Mistake(
        denylist,
        (("if self._view is view:", "if True:"),),
        "a block goes from the session to the subject",
    ),
    "the overlay is emptied, and not another one": Mistake(
        denylist,
        (("self.n, overlay = n, {}", "self.n = n\n            overlay.clear()"),),
        "a base takes the place of the overlay",
    ),
    "what an older base does not hold is forgotten": Mistake(
        denylist,
        (("if entry[:STAMP] <= base_stamp:", "if True:"),),
        "a base comes that is older than the block",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_these_schedules_find(mistake: Mistake, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = mutant(mistake.module, *mistake.edits)
    for name in ("GuardCore", "Verifier", "DenyList"):
        if getattr(getattr(wrong, name, None), "__module__", "") == wrong.__name__:
            monkeypatch.setattr(core, name, getattr(wrong, name))
    code = shared_code([wrong if each is mistake.module else each for each in MODULES])
    story = STORIES[mistake.story]()
    assert any(problems(story, mistake.memory, code, mistake.step, 1))
