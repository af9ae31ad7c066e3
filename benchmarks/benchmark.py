"""What a row declares, and what it is given to measure with.

BENCHMARK = Benchmark(
    name="hashing",
    title="Hashing",
    about="Microseconds a hash of 1 KB.",
    measure=measure,
    targets=(Target("at most twice hashlib", "1 KB", "ours", at_most=2, of=("hashlib",)),),
)

def measure(run: Run) -> None:
    group = run.group("1 KB", "µs", baselines=("hashlib",))
    group.take_turns({"hashlib": theirs}, {"ours": ours}, rounds=run.pick(3, 15, 50), scale=1e6)
"""

import cProfile
import io
import pstats
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from benchmarks.figures import Figure, Goal, Group, significant
from benchmarks.turns import in_turns

__all__ = ["Benchmark", "Effort", "Run", "Target"]

T = TypeVar("T")
Effort = Literal["quick", "default", "full"]
_PROFILE_LINES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """`name` is also the module's. `about` says in sentences what is measured and how, `tried` what was tried
    where a target is missed. `limit_s` is how long one run may take
    before it is ended, `full_limit_s` with the effort `full`.
    """

    name: str
    title: str
    about: str
    measure: Callable[["Run"], None]
    targets: tuple["Target", ...] = ()
    tried: tuple[str, ...] = ()
    limit_s: float = 120.0
    full_limit_s: float = 900.0


@dataclass(frozen=True, slots=True)
class Target:
    """`figure` of `group` is to be `at_most` or `at_least` so much: in the group's unit; with `of`, so many times the best of
    the figures named there. `plus` is added. A target whose figures were not measured in a run is not judged.
    """

    words: str
    group: str
    figure: str
    at_most: float | None = None
    at_least: float | None = None
    of: tuple[str, ...] = ()
    plus: float = 0.0
    statistic: Literal["median", "p99", "high"] = "median"

    def judge(self, groups: Mapping[str, Group]) -> Goal | None:
        """What came of it; None: nothing was measured for it."""
        group = groups.get(self.group)
        found = (
            {figure.name: float(getattr(figure, self.statistic)) for figure in group.figures} if group else {}
        )
        peers = [found[name] for name in self.of if name in found]
        if group is None or self.figure not in found or (self.of and not peers):
            return None
        value, (limit, most) = found[self.figure], self._limit
        best = (max(peers) if group.higher_is_better else min(peers)) if peers else 1.0
        bound = limit * best + self.plus
        low, high = (value, bound) if most else (bound, value)
        factor = low / high if high else float(low > 0) * 1e9
        return Goal(
            words=self.words,
            unit=group.unit,
            value=value,
            bound=significant(bound),
            factor=significant(factor),
        )

    @property
    def _limit(self) -> tuple[float, bool]:
        assert (self.at_most is None) != (self.at_least is None), "a target has one limit"
        return (self.at_most, True) if self.at_most is not None else (self.at_least or 0.0, False)


@dataclass(slots=True)
class Measuring:
    """A group that is being filled. A name that was used before is replaced."""

    title: str
    unit: str
    baselines: tuple[str, ...]
    tail: bool
    higher_is_better: bool
    figures: dict[str, Figure] = field(default_factory=dict)

    def ours(self, name: str, samples: Sequence[float]) -> None:
        """What Revocast does."""
        self.figures[name] = Figure.of(name, samples, ours=True)

    def peer(self, name: str, samples: Sequence[float]) -> None:
        """What another does, or the bare operation."""
        self.figures[name] = Figure.of(name, samples, ours=False)

    def take_turns(
        self,
        peers: Mapping[str, Callable[[], object]],
        ours: Mapping[str, Callable[[], object]],
        *,
        rounds: int,
        scale: float = 1.0,
        before: Callable[[], object] = lambda: None,
    ) -> None:
        """Time every way once a round. `scale` makes the group's unit of the seconds that one call takes: `1e6 / 300` gives
        microseconds a token for a way that judges 300. `before` is called at the start of a round, untimed.
        """
        for name, seconds in in_turns({**peers, **ours}, rounds, before).items():
            samples = [each * scale for each in seconds]
            (self.ours if name in ours else self.peer)(name, samples)

    def finished(self) -> Group:
        """As it is kept. Baselines that were not measured are left out."""
        return Group(
            title=self.title,
            unit=self.unit,
            baselines=tuple(name for name in self.baselines if name in self.figures),
            tail=self.tail,
            higher_is_better=self.higher_is_better,
            figures=tuple(self.figures.values()),
        )


class Run:
    """One run of one row. `say` tells whoever waits what is going on."""

    def __init__(self, effort: Effort, say: Callable[[str], None] = lambda text: None) -> None:
        self.effort = effort
        self.say = say
        self.notes: list[str] = []
        self.profile = ""
        self._groups: dict[str, Measuring] = {}

    def pick(self, quick: T, default: T, full: T) -> T:
        """What fits this run's effort."""
        return {"quick": quick, "default": default, "full": full}[self.effort]

    def group(
        self,
        title: str,
        unit: str,
        *,
        baselines: tuple[str, ...] = (),
        tail: bool = False,
        higher_is_better: bool = False,
    ) -> Measuring:
        """Begin a group. Titles are what targets name."""
        self._groups[title] = made = Measuring(title, unit, baselines, tail, higher_is_better)
        return made

    def note(self, text: str) -> None:
        """A sentence that belongs beside the figures, such as why a peer is not among them."""
        if text not in self.notes:
            self.notes.append(text)

    def profile_of(self, work: Callable[[], object], title: str = "") -> None:
        """Where the time of `work` goes, by function; kept with the figures, and measured apart from them."""
        profiler = cProfile.Profile()
        profiler.runcall(work)
        text = io.StringIO()
        pstats.Stats(profiler, stream=text).strip_dirs().sort_stats("tottime").print_stats(_PROFILE_LINES)
        lines = text.getvalue().splitlines()
        start = next(number for number, line in enumerate(lines) if "tottime" in line)
        shown = [title, *lines[start:]] if title else lines[start:]
        profile = "\n".join(line.rstrip() for line in shown if line.strip())
        self.profile = f"{self.profile}\n\n{profile}" if self.profile else profile

    @property
    def groups(self) -> dict[str, Group]:
        """What was measured, by title."""
        return {title: group.finished() for title, group in self._groups.items() if group.figures}
