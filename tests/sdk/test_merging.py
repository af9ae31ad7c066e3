"""A merge: the same table as record by record, in steps that are small, and nothing changed until it is adopted."""

from itertools import islice

import pytest

from revocast.schemas.row import NEVER, Row, Slot
from revocast.schemas.table import Table
from revocast.sdk.denylist import DenyList
from revocast.sdk.merging import merged
from revocast.sdk.packed import PackedBase
from tests.sdk.packed_rows import name, packed, table_of

BASE = 20_000


def test_a_step_reads_and_writes_a_bounded_number_of_rows_however_large_the_table() -> None:
    denylist = DenyList(PackedBase.build(table_of(BASE)), 1, 1)
    for start in range(BASE, 2 * BASE, 1000):
        denylist.apply([Row.for_block(name(number), 4, NEVER) for number in range(start, start + 1000)], 1)
    steps = list(denylist.merge())
    assert b"".join(steps) == table_of(2 * BASE)
    assert max(len(step) // 20 for step in steps) <= 8192


def test_with_nothing_before_it_a_merge_of_many_rows_goes_in_steps_too() -> None:
    denylist = DenyList()
    denylist.apply([Row.for_block(name(number), 4, NEVER) for number in range(BASE)], 1)
    steps = list(denylist.merge())
    assert b"".join(steps) == table_of(BASE)
    assert max(len(step) // 20 for step in steps) < 2000


def test_a_part_in_which_nothing_changed_is_not_even_copied() -> None:
    base = PackedBase.build(table_of(BASE))
    parts = list(base.split((BASE // 8192).bit_length()))
    seen = [step for step in merged(base, {}, 1) if step]
    assert seen == parts


@pytest.mark.parametrize("rows_a_step", [1, 100_000])
def test_what_is_new_changed_lifted_and_dead_comes_out_as_the_table_has_it(
    monkeypatch: pytest.MonkeyPatch, rows_a_step: int
) -> None:
    monkeypatch.setattr("revocast.sdk.merging._ROWS_A_STEP", rows_a_step)
    before = [Row.for_block(name(number), 4, 100 + number % 3) for number in range(100)]
    before += [Row.for_cutoff(name(number), 4, 50, 101) for number in range(0, 100, 2)]
    table = Table.from_packed(packed(before), 10)
    denylist = DenyList(PackedBase.build(packed(before)), 1, 10)
    changes = [Row.for_lift(name(number), 4, Slot.BLOCK) for number in range(0, 100, 5)]
    changes += [Row.for_cutoff(name(number), 4, 60, 500) for number in range(0, 100, 7)]
    changes += [Row.for_block(name(number), 5, 500) for number in range(90, 110)]
    for t in (11, 101):
        table.apply(changes if t == 11 else [], t)
        denylist.apply(changes if t == 11 else [], t)
        assert b"".join(denylist.merge()) == table.pack() == denylist.pack()


def test_of_a_fingerprint_that_changed_no_row_of_the_base_is_left_though_one_in_the_middle_was_dead() -> None:
    before = [Row.for_block(name(1), kind, 50 if kind == 5 else NEVER) for kind in (4, 5, 6)]
    denylist = DenyList(PackedBase.build(packed(before)), 1, 10)
    denylist.apply([Row.for_lift(name(1), kind, Slot.BLOCK) for kind in (4, 6)], 60)
    assert b"".join(denylist.merge()) == b""


def test_records_that_come_during_a_merge_are_in_force_at_once_and_not_in_what_it_makes() -> None:
    denylist = DenyList(PackedBase.build(table_of(BASE)), 7, 1)
    frozen = denylist.pack()
    merge = denylist.merge()
    steps = iter(merge)
    begun = list(islice(steps, 3))
    denylist.apply([Row.for_block(name(BASE), 4, NEVER), Row.for_lift(name(0), 4, Slot.BLOCK)], 2)
    assert b"".join([*begun, *steps]) == frozen
    assert (merge.n, merge.t) == (7, 1)
    now = denylist.pack()
    denylist.adopt(PackedBase.open(frozen, merge.index_bytes), merge.n, merge.t)
    assert (
        denylist.pack()
        == now
        == packed(Row.for_block(name(number), 4, NEVER) for number in range(1, BASE + 1))
    )


def test_a_merge_that_is_given_up_leaves_everything_as_it_was() -> None:
    denylist = DenyList(PackedBase.build(table_of(BASE)), 7, 1)
    denylist.apply([Row.for_block(name(BASE), 4, NEVER)], 2)
    expected = table_of(BASE + 1)
    for steps in (0, 1, 2, 5):
        for _ in islice(denylist.merge(), steps):
            pass
        assert denylist.pack() == expected and denylist.base_n == 7


def test_the_index_that_a_merge_makes_finds_every_row() -> None:
    denylist = DenyList(PackedBase.build(table_of(1000, 50)), 1, 1)
    denylist.apply([Row.for_block(name(number), 5, NEVER) for number in range(900, 2000)], 60)
    merge = denylist.merge()
    base = PackedBase.open(b"".join(merge), merge.index_bytes)
    assert base.kinds == {5: 1100} and base.has_filter
    assert all(base.find(name(number)) for number in range(900, 2000))
    assert not any(base.find(name(number)) for number in range(900))
