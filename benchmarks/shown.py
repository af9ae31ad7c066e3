"""A result in words: the same cells for the terminal and for the page."""

from collections.abc import Iterator

from rich.console import Group as Lines
from rich.table import Table

from benchmarks.figures import Figure, Goal, Group, Result

__all__ = ["cells", "goal_line", "headings", "number", "on_terminal"]


def number(value: float) -> str:
    """Three significant digits, thousands separated."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.1e}"


def headings(group: Group) -> list[str]:
    """The columns of a group's table."""
    tail = ["p99", "max"] if group.tail else []
    of = "p50, p99, max " if group.tail else ""
    ratios = [f"{of}/ {name}" for name in group.baselines]
    return ["", f"median, {group.unit}", "quartiles", *tail, "samples", *ratios]


def cells(group: Group) -> Iterator[tuple[Figure, list[str]]]:
    """The line of every figure."""
    for figure in group.figures:
        spread = f"{number(figure.q1)} – {number(figure.q3)}" if figure.count > 1 else ""
        tail = [number(figure.p99), number(figure.high)] if group.tail else []
        ratios = [_ratio(figure, group.figure(name), tail=group.tail) for name in group.baselines]
        yield figure, [figure.name, number(figure.median), spread, *tail, str(figure.count), *ratios]


def _ratio(figure: Figure, baseline: Figure, *, tail: bool) -> str:
    pairs = [(figure.median, baseline.median)]
    if tail:
        pairs += [(figure.p99, baseline.p99), (figure.high, baseline.high)]
    return ", ".join(f"{number(value / divisor)} ×" if divisor else "" for value, divisor in pairs)


def goal_line(goal: Goal) -> str:
    """`hit: …` or `missed by 1.4 ×: …`."""
    verdict = "hit" if goal.met else f"missed by {number(goal.factor)} ×"
    return f"{verdict}: {goal.words}. Found {number(goal.value)}, bound {number(goal.bound)} ({goal.unit})"


def on_terminal(result: Result) -> Lines:
    """Tables, targets and notes."""
    shown: list[Table | str] = []
    for group in result.groups:
        table = Table(title=f"{result.title}: {group.title}", title_justify="left")
        for heading in headings(group):
            table.add_column(heading, justify="right" if heading else "left")
        for figure, line in cells(group):
            table.add_row(*line, style="bold" if figure.ours else "")
        shown.append(table)
    shown += [f"  {goal_line(goal)}" for goal in result.goals]
    shown += [f"  {note}" for note in (*result.notes, *result.tried)]
    return Lines(*shown)
