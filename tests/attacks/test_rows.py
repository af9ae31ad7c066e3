"""The catalogue and the tests say the same."""

from tests.attacks.rows import covered, problems


def test_every_row_has_a_test_or_is_listed_as_not_yet() -> None:
    assert problems(covered()) == []


def test_a_row_without_a_test_and_a_row_that_is_there_by_now_are_named() -> None:
    found = covered()
    del found["S01"]
    found["S12"] = found["X99"] = 1
    assert [line.split(" (")[0].split(" has")[0] for line in problems(found)] == ["S01", "S12", "X99"]
