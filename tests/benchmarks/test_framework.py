"""`benchmarks`: what is declared is measured, judged, kept, and shown on the page."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import page, rows, running, store
from benchmarks.benchmark import Benchmark, Run, Target
from benchmarks.figures import Figure, Group, Result
from benchmarks.measure import measured
from benchmarks.plot import svg
from benchmarks.turns import in_turns


def _sums(run: Run) -> None:
    group = run.group("a thousand", "µs", baselines=("loop",), tail=True)
    group.take_turns({"loop": lambda: list(range(1000))}, {"sum": lambda: sum(range(1000))}, rounds=3)
    run.profile_of(lambda: sorted(range(1000)))
    run.note("A peer | is missing.")


TINY = Benchmark(
    name="tiny",
    title="Adding up",
    about="Sums.",
    tried=("Nothing.",),
    measure=_sums,
    targets=(
        Target("never", "a thousand", "sum", at_most=0.0),
        Target("always", "a thousand", "sum", at_least=0.0, of=("loop",)),
        Target("of what was not measured", "a million", "sum", at_most=1),
    ),
)


@pytest.fixture
def result() -> Result:
    return measured(TINY, Run("quick"))


def test_the_page_is_what_the_results_give() -> None:
    assert page.stale(store.load(rows.ROWS)) == []


def test_every_result_is_of_a_row_that_exists() -> None:
    kept = {path.stem for path in store.RESULTS.glob("*.json")}
    assert kept <= set(rows.ROWS)


def test_what_is_kept_is_read_again(result: Result, tmp_path: Path) -> None:
    store.save(result, tmp_path)
    assert store.load(("tiny", "not measured yet"), tmp_path) == [result]


def test_a_row_s_figures_targets_notes_and_profile_are_on_the_page(result: Result, tmp_path: Path) -> None:
    page.write([result], tmp_path)
    text = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    for shown in (
        "## Adding up",
        "**sum**",
        'make bench ARGS="tiny"',
        "A peer | is missing",
        "- Nothing.",
        "tottime",
    ):
        assert shown in text
    assert "1 of 2 are hit" in text
    assert "missed by" in text
    assert ET.parse(tmp_path / "benchmarks" / "tiny-a-thousand.svg").getroot().tag.endswith("svg")  # noqa: S314
    assert page.stale([result], tmp_path) == []


def test_a_picture_that_no_result_has_any_more_is_noticed_and_removed(result: Result, tmp_path: Path) -> None:
    page.write([result], tmp_path)
    (tmp_path / "benchmarks" / "old.svg").touch()
    assert page.stale([result], tmp_path) == ["benchmarks/old.svg"]
    page.write([result], tmp_path)
    assert page.stale([result], tmp_path) == []


def test_every_way_is_taken_once_in_every_round_and_each_begins_one() -> None:
    order: list[str] = []
    ways = {name: (lambda name=name: order.append(name)) for name in "abc"}
    taken = in_turns(ways, rounds=3, before=lambda: order.append("|"))
    assert "".join(order) == "|cab|abc|bca|cab"
    assert {name: len(seconds) for name, seconds in taken.items()} == {"a": 3, "b": 3, "c": 3}


def _group(*, higher_is_better: bool = False, **values: float) -> dict[str, Group]:
    figures = tuple(Figure.of(name, [value], ours=name == "ours") for name, value in values.items())
    return {
        "g": Group(
            title="g",
            unit="s",
            baselines=(),
            tail=False,
            higher_is_better=higher_is_better,
            figures=figures,
        )
    }


def test_a_target_is_so_many_times_the_best_of_its_peers() -> None:
    target = Target("words", "g", "ours", at_most=2, of=("a", "b", "not installed"), plus=1)
    goal = target.judge(_group(a=5, b=3, ours=14))
    assert goal is not None
    assert (goal.value, goal.bound, goal.factor, goal.met) == (14, 7, 2, False)
    more = Target("words", "g", "ours", at_least=0.5, of=("a", "b")).judge(
        _group(higher_is_better=True, a=5, b=3, ours=2)
    )
    assert more is not None
    assert (more.bound, more.factor) == (2.5, 1.25)


@given(st.floats(1e-3, 1e9), st.floats(1e-3, 1e9))
def test_a_target_is_hit_exactly_when_the_limit_holds(value: float, limit: float) -> None:
    groups = _group(ours=value)
    found = groups["g"].figure("ours").median
    for target, holds in (
        (Target("w", "g", "ours", at_most=limit), found <= limit),
        (Target("w", "g", "ours", at_least=limit), found >= limit),
    ):
        goal = target.judge(groups)
        assert goal is not None
        assert goal.met == holds or abs(goal.factor - 1) < 1e-4


@given(
    st.dictionaries(st.text('<&"ab|', min_size=1, max_size=8), st.floats(-1e9, 1e9), min_size=1, max_size=9)
)
def test_every_group_has_a_picture_whose_bars_stay_inside(values: dict[str, float]) -> None:
    group = Group(
        title="<&",
        unit="µs",
        baselines=(),
        tail=True,
        higher_is_better=False,
        figures=tuple(Figure.of(name, [value, value * 1.5], ours=True) for name, value in values.items()),
    )
    bars = ET.fromstring(svg(group)).findall("{*}rect")  # noqa: S314
    assert len(bars) == len(values)
    assert all(0 <= float(bar.attrib["width"]) <= 421 for bar in bars)


def test_a_row_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "row", lambda name: TINY)
    with pytest.raises(running.RowFailed, match=r"No module named 'benchmarks\.rows\.tiny'"):
        running.run_row("tiny", "quick")


def test_a_row_without_what_it_needs_says_what() -> None:
    with pytest.raises(running.RowFailed, match="make bench"):
        running.run_row("no_such_row", "quick")
