"""When a snapshot is cut, what differs, and what may be forgotten: the rules alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revocast.issuer.authority.comparison import first_difference
from revocast.issuer.authority.cutting import CutRule, Mark
from revocast.issuer.authority.snapshots import Snapshot, SnapshotState, truncation_point
from revocast.schemas.row import ROW_SIZE, Key, Row, Slot, pack_rows

RULE = CutRule(records=10, seconds=100)
CUT, COUNTERSIGNED, DIFFERS = SnapshotState


@pytest.mark.parametrize(
    ("n", "now", "due"),
    [(14, 1099, False), (15, 1000, True), (6, 1099, False), (6, 1100, True), (5, 9999, False)],
)
def test_a_cut_is_due_by_records_or_by_time_and_never_without_a_change(n: int, now: int, due: bool) -> None:
    assert RULE.is_due(Mark(n=5, t=1000), n, now) is due


def snapshot(n: int, t: int, state: SnapshotState = COUNTERSIGNED, epoch: int = 1) -> Snapshot:
    return Snapshot(epoch, n, t, state)


@pytest.mark.parametrize(
    ("snapshots", "point"),
    [
        ([], None),
        ([snapshot(10, 500)], 10),
        ([snapshot(10, 501)], None),
        ([snapshot(10, 100), snapshot(20, 500), snapshot(30, 900)], 20),
        ([snapshot(10, 100), snapshot(20, 500, CUT), snapshot(30, 900, CUT)], 10),
        ([snapshot(10, 100), snapshot(20, 500, DIFFERS), snapshot(30, 900)], 10),
        ([snapshot(10, 100), snapshot(20, 900, DIFFERS)], None),
        ([snapshot(10, 100), snapshot(20, 900, DIFFERS), snapshot(30, 950, CUT)], None),
        ([snapshot(10, 100, epoch=2)], None),
        ([snapshot(90, 100, epoch=2), snapshot(10, 200)], 10),
    ],
)
def test_the_log_is_truncated_behind_the_newest_old_countersigned_cut_of_its_epoch_unless_the_newest_differs(
    snapshots: list[Snapshot], point: int | None
) -> None:
    found = truncation_point(sorted(snapshots, key=lambda each: each.place), 1, now=1000, log_age=500)
    assert (found.n if found else None) == point


rows = st.builds(
    lambda number, slot, until: Row(
        number.to_bytes(11, "big"), 1, slot, cutoff=0 if slot else 7, expires_at=until
    ),
    st.integers(0, 40),
    st.sampled_from(Slot),
    st.integers(1, 3),
)
tables = st.lists(rows, unique_by=lambda row: row.key).map(lambda each: sorted(each, key=lambda row: row.key))


@given(tables, tables)
def test_the_first_difference_is_where_one_side_lacks_a_row_or_has_another(
    ours: list[Row], theirs: list[Row]
) -> None:
    found = first_difference(pack_rows(ours), pack_rows(theirs), 0)
    if ours == theirs:
        assert found is None
        return
    assert found is not None
    assert ours[: found.index] == theirs[: found.index]
    first = min(set(map(_slot, ours)) ^ set(map(_slot, theirs)))
    (key,) = {Row.unpack(row).key for row in (found.ours, found.theirs) if row is not None}
    assert key == first[0]
    assert key[0].hex() in str(found)


def _slot(row: Row) -> tuple[Key, bytes]:
    return row.key, row.pack()


def test_bytes_that_are_no_row_are_told_as_they_are() -> None:
    found = first_difference(b"", bytes(ROW_SIZE), 3)
    assert str(found) == f"row 3: the issuer has none, streams have {bytes(ROW_SIZE).hex()}, which is no row"
