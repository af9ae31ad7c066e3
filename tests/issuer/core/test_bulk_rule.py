"""What lines of a file change is what a record of the same revocations changes."""

from hypothesis import given
from hypothesis import strategies as st

from revocast.issuer.authority.bulk import Line, Manner, Times, changed_by
from revocast.issuer.authority.log import changes
from revocast.issuer.authority.revocations import Revocation
from revocast.schemas.row import Key, Row, Slot
from revocast.schemas.selector import Selector
from tests.issuer.core.test_grouping import (
    HISTORIES,
    ISSUER,
    REVOCATIONS,
    TERMS,
    T,
    request,
    together,
    written_before,
)


def line_of(revocation: Revocation, manners: dict[object, Manner]) -> Line:
    name, code = TERMS.name(revocation.selector)
    key = (code, revocation.slot, revocation.cutoff, revocation.expires_at)
    return Line(name, revocation.selector.values, manners.setdefault(key, Manner(revocation, code)))


def row_of(line: Line, times: Times) -> Row:
    return Row(line.fingerprint, line.manner.code, Slot(line.manner.slot), False, *times)


PAST = REVOCATIONS.filter(lambda revocation: revocation.cutoff is None or revocation.cutoff <= T)
ENDING = PAST.filter(
    lambda revocation: revocation.selector.kind != "token" or revocation.expires_at is not None
)


@given(HISTORIES, st.lists(ENDING, max_size=12))
def test_lines_change_what_the_record_of_their_revocations_changes(
    history: list[list[Revocation]], revocations: list[Revocation]
) -> None:
    held = written_before(history)
    times: dict[Key, Times] = {key: (row.cutoff, row.expires_at) for key, row in held.items()}
    manners: dict[object, Manner] = {}
    lines = [line_of(revocation, manners) for revocation in revocations]
    runs = changed_by(lines, times, T, TERMS)
    changed = [(line, run.row, run.held) for run in runs for line in run.lines]
    rows = [entry.row for entry in together(request(*revocations)).written]
    expected = changes(held, rows, T)
    assert {row.key: row for row in (row_of(line, after) for line, _, after in changed)} == expected
    # And the record holds no row that changes nothing.
    assert changes(held, [row_of(line, row) for line, row, _ in changed], T) == expected
    before = dict(held)
    for line, row, after in changed:
        assert changes(before, [row_of(line, row)], T)
        before[row_of(line, after).key] = row_of(line, after)
    for run in runs:
        assert {line.manner for line in run.lines} == {run.manner}
        assert len({line.fingerprint for line in run.lines}) == len(run.lines)


def test_new_names_of_one_manner_are_one_run_in_their_order() -> None:
    manners: dict[object, Manner] = {}
    lines = [
        line_of(Revocation(Selector.token(ISSUER, f"jti-{number}"), Slot.BLOCK), manners)
        for number in range(40)
    ]
    ((run_lines, manner, row, after),) = changed_by(lines, {}, T, TERMS)
    assert list(run_lines) == lines and {manner} == set(manners.values()) and row == after
    ((again, *_),) = changed_by([*lines, lines[7]], {}, T, TERMS)
    assert list(again) == lines


def test_a_token_of_which_only_the_name_is_known_is_refused_to_the_end_of_an_hour() -> None:
    revocation = Revocation(Selector.token(ISSUER, "a"), Slot.BLOCK)
    line = line_of(revocation, {})
    ((_, _, (_, expires_at), held),) = changed_by([line], {}, T, TERMS)
    _, least = TERMS.times(revocation, T)
    assert least <= expires_at < least + 3600 and expires_at % 3600 == 0
    again = {(line.fingerprint, 0, 1): held}
    assert not changed_by([line], again, T + expires_at - least, TERMS)
    assert changed_by([line], again, T + expires_at - least + 1, TERMS)


def test_what_is_dead_joins_nothing() -> None:
    revocation = Revocation(Selector.subject(ISSUER, "a"), Slot.CUTOFF, cutoff=T - 5000, expires_at=T + 9000)
    line = line_of(revocation, {})
    key = (line.fingerprint, line.manner.code, line.manner.slot)
    ((_, _, row, held),) = changed_by([line], {key: (T - 4000, T - 1)}, T, TERMS)
    assert row == held == (T - 5000, T + 9000)
