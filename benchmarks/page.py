"""`docs/benchmarks.md` and its pictures, from the results and from nothing else. `python -m benchmarks.page [--check]`."""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.figures import Group, Result
from benchmarks.plot import svg
from benchmarks.rows import ROWS
from benchmarks.shown import cells, goal_line, headings
from benchmarks.store import load

__all__ = ["page", "write"]

DOCS: Final = Path(__file__).parents[1] / "docs"

_HEAD = """# Benchmarks

Written by `make bench` from the results in [`benchmarks/results`](../benchmarks/results); no figure is typed by hand.

`make bench` takes minutes, `make bench-full` at most an hour; `make bench ARGS="verification propagation"` repeats these rows,
`make bench ARGS=--list` names all. Every figure stands beside its peers' from the same run: in every round each way takes its turn, in one
process where that is possible, so that what disturbs the machine disturbs all of them. Ratios travel to another machine; the
figures alone do not. Medians, with the quartiles as the spread; a green bar is ours.

{targets}
"""


def page(results: Sequence[Result]) -> dict[str, str]:
    """Every file, by its path below `docs`."""
    files = {
        f"benchmarks/{_file(result, group)}": svg(group) for result in results for group in result.groups
    }
    parts = [_HEAD.format(targets=_targets(results)), *map(_section, results), _machines(results)]
    files["benchmarks.md"] = "\n".join(parts)
    return files


def write(results: Sequence[Result], docs: Path = DOCS) -> None:
    """Write the page; pictures that it does not show any more are deleted."""
    files = page(results)
    (docs / "benchmarks").mkdir(parents=True, exist_ok=True)
    for path in (docs / "benchmarks").glob("*.svg"):
        if f"benchmarks/{path.name}" not in files:
            path.unlink()
    for name, text in files.items():
        (docs / name).write_text(text, encoding="utf-8")


def stale(results: Sequence[Result], docs: Path = DOCS) -> list[str]:
    """Which files are not what the results give."""
    files = page(results)
    left = {f"benchmarks/{path.name}" for path in (docs / "benchmarks").glob("*.svg")} - files.keys()
    return sorted(left) + [
        name
        for name, text in files.items()
        if not (docs / name).exists() or (docs / name).read_text(encoding="utf-8") != text
    ]


def _targets(results: Sequence[Result]) -> str:
    goals = [(result, goal) for result in results for goal in result.goals]
    met = sum(goal.met for _, goal in goals)
    lines = [f"## Targets\n\n{met} of {len(goals)} are hit.\n"]
    lines += [f"- [{result.title}](#{_anchor(result.title)}): {goal_line(goal)}." for result, goal in goals]
    return "\n".join(lines)


def _section(result: Result) -> str:
    lines = [f"## {result.title}", "", result.about, ""]
    lines += [
        f'`make bench ARGS="{result.name}"` repeats it; taken {result.taken}, {result.seconds:g} s, effort: {result.effort}.',
        "",
    ]
    for group in result.groups:
        lines += _table(group)
        lines += [f"![{group.title}](benchmarks/{_file(result, group)})", ""]
    lines += [f"- {goal_line(goal)}." for goal in result.goals]
    lines += [f"- {note}" for note in result.notes]
    if result.tried:
        lines += ["", "What was tried:", "", *(f"- {each}" for each in result.tried)]
    if result.goals or result.notes or result.tried:
        lines.append("")
    if result.profile:
        lines += ["Where the time goes (`cProfile`, which slows every call down):", "", "```text"]
        lines += [result.profile, "```", ""]
    return "\n".join(lines)


def _table(group: Group) -> list[str]:
    heads = headings(group)
    lines = [f"### {group.title}", "", _line(heads), _line(["---"] + ["---:"] * (len(heads) - 1))]
    for figure, line in cells(group):
        lines.append(_line([f"**{line[0]}**" if figure.ours else line[0], *line[1:]]))
    return [*lines, ""]


def _line(words: Sequence[str]) -> str:
    return f"| {' | '.join(word.replace('|', '&#124;') for word in words)} |"


def _machines(results: Sequence[Result]) -> str:
    lines = ["## Machine", ""]
    seen: dict[str, list[str]] = {}
    for result in results:
        said = ", ".join(f"{name}: {value}" for name, value in result.machine.items())
        seen.setdefault(said, []).append(result.name)
    lines += [f"- {', '.join(names)}: {said}" for said, names in seen.items()]
    return "\n".join([*lines, ""])


def _file(result: Result, group: Group) -> str:
    return f"{result.name}-{re.sub('[^a-z0-9]+', '-', group.title.lower()).strip('-')}.svg"


def _anchor(heading: str) -> str:
    return "".join(c for c in heading.lower() if c.isalnum() or c in " -_").replace(" ", "-")


def main() -> int:
    """1 when `--check` finds a difference."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, only compare")
    check = parser.parse_args().check
    results = load(ROWS)
    different = stale(results)
    if not check:
        write(results)
    for name in different:
        print(
            f"docs/{name}: {'differs from the results; run: python -m benchmarks.page' if check else 'written'}"
        )
    return 1 if check and different else 0


if __name__ == "__main__":
    sys.exit(main())
