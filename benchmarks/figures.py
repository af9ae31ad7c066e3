"""What a row found: figures, in groups of what may be compared with each other. Kept as JSON, and shown from there."""

from collections.abc import Sequence
from statistics import median, quantiles
from typing import Self

from pydantic import BaseModel, ConfigDict

__all__ = ["Figure", "Goal", "Group", "Result", "significant"]

_DIGITS = 5


def significant(value: float) -> float:
    """As many digits as a measurement can have."""
    return float(f"{value:.{_DIGITS}g}")


class Kept(BaseModel):
    """Written to a file and read again: what is not known there is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Figure(Kept):
    """One way, measured `count` times. `ours` says whose way it is; `q1` and `q3` are quartiles: their distance is the spread."""

    name: str
    ours: bool
    count: int
    median: float
    q1: float
    q3: float
    p99: float
    low: float
    high: float

    @classmethod
    def of(cls, name: str, samples: Sequence[float], *, ours: bool) -> Self:
        """Summarise samples; at least one."""
        ordered = sorted(samples)
        q1, _, q3 = quantiles(ordered, n=4, method="inclusive") if len(ordered) > 1 else ordered * 3
        found = {
            "median": median(ordered),
            "q1": q1,
            "q3": q3,
            "p99": ordered[round(0.99 * (len(ordered) - 1))],
            "low": ordered[0],
            "high": ordered[-1],
        }
        kept = {key: significant(value) for key, value in found.items()}
        return cls(name=name, ours=ours, count=len(ordered), **kept)


class Group(Kept):
    """Figures of one unit. `baselines` are those by which the others are divided; `tail`: p99 and the worst are shown too."""

    title: str
    unit: str
    baselines: tuple[str, ...]
    tail: bool
    higher_is_better: bool
    figures: tuple[Figure, ...]

    def figure(self, name: str) -> Figure:
        """The figure of that name. Raises `KeyError`."""
        for figure in self.figures:
            if figure.name == name:
                return figure
        raise KeyError(f"{self.title}: no figure is named {name!r}")


class Goal(Kept):
    """A target, and what was found: `value` against `bound`, in `unit`. `factor` above 1: missed by so much."""

    words: str
    unit: str
    value: float
    bound: float
    factor: float

    @property
    def met(self) -> bool:
        """Whether the target was hit."""
        return self.factor <= 1


class Result(Kept):
    """One run of one row. `effort` is quick, default or full; `machine` is what it ran on, by name."""

    name: str
    title: str
    about: str
    effort: str
    taken: str
    seconds: float
    machine: dict[str, str]
    groups: tuple[Group, ...]
    goals: tuple[Goal, ...]
    notes: tuple[str, ...]
    tried: tuple[str, ...] = ()
    profile: str
