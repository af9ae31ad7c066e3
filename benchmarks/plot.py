"""A group as a picture: a bar for each way as long as its median, a line from quartile to quartile, and a tick at p99 for tails.

Written by hand, as SVG: the same result gives the same bytes on every machine, so that a test can hold the page against it.
"""

import math
from collections.abc import Callable
from html import escape

from benchmarks.figures import Figure, Group
from benchmarks.shown import number

__all__ = ["svg"]

_NAME, _BARS, _VALUE, _LINE, _TOP = 300, 420, 90, 26, 34
_STYLE = """<style>
text{font:13px sans-serif;fill:#24292f}.o{fill:#1a7f37}.p{fill:#8c959f}line{stroke:#24292f}
@media(prefers-color-scheme:dark){text{fill:#d0d7de}line{stroke:#d0d7de}}
</style>"""
_LOGARITHMIC_FROM = 30.0
"""The ratio of the longest to the shortest bar from which on the short ones could not be told apart."""


def svg(group: Group) -> str:
    """The picture."""
    longest = max(_end(group, figure) for figure in group.figures)
    shortest = min((figure.median for figure in group.figures if figure.median > 0), default=0.0)
    logarithmic = shortest > 0 and longest / shortest >= _LOGARITHMIC_FROM
    place = _logarithmic(shortest, longest) if logarithmic else _linear(longest)
    height = _TOP + _LINE * len(group.figures) + 8
    scale = "logarithmic; " if logarithmic else ""
    better = "more is better" if group.higher_is_better else "less is better"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_NAME + _BARS + _VALUE}" height="{height}">',
        _STYLE,
        f'<text x="4" y="20" font-weight="bold">{escape(group.title)}</text>',
        f'<text x="{_NAME}" y="20">{escape(group.unit)} ({scale}{better})</text>',
    ]
    for at, figure in enumerate(group.figures):
        parts += _bar(group, figure, _TOP + at * _LINE, place)
    return "\n".join([*parts, "</svg>", ""])


def _bar(group: Group, figure: Figure, y: int, place: Callable[[float], float]) -> list[str]:
    middle, end = y + _LINE / 2, _NAME + place(figure.median)
    kind, weight = ("o", ' font-weight="bold"') if figure.ours else ("p", "")
    label = _NAME + place(_end(group, figure)) + 6
    drawn = [
        f'<text x="{_NAME - 8}" y="{middle + 4:.0f}" text-anchor="end"{weight}>{escape(figure.name)}</text>',
        f'<rect class="{kind}" x="{_NAME}" y="{y + 4}" width="{end - _NAME:.1f}" height="{_LINE - 8}"/>',
        f'<text x="{label:.1f}" y="{middle + 4:.0f}">{number(figure.median)}</text>',
    ]
    if figure.q3 > figure.q1:
        drawn.append(_line(place(figure.q1), middle, place(figure.q3), middle))
    if group.tail:
        drawn.append(_line(place(figure.p99), middle - 6, place(figure.p99), middle + 6))
    return drawn


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{_NAME + x1:.1f}" y1="{y1:.1f}" x2="{_NAME + x2:.1f}" y2="{y2:.1f}"/>'


def _end(group: Group, figure: Figure) -> float:
    return max(figure.q3, figure.p99 if group.tail else 0.0)


def _linear(longest: float) -> Callable[[float], float]:
    return lambda value: _BARS * max(0.0, value) / longest if longest > 0 else 0.0


def _logarithmic(shortest: float, longest: float) -> Callable[[float], float]:
    low = math.log10(shortest) - 0.3
    width = math.log10(longest) - low
    return lambda value: _BARS * max(0.0, math.log10(value) - low) / width if value > 0 else 0.0
