"""The packed base: every row is found, and nothing else, in whatever buffer and however hostile the table."""

import mmap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revocast.schemas.row import NEVER, Row, Slot
from revocast.sdk.packed import PackedBase
from revocast.sdk.packed_index import IndexBuilder, UnusableIndex
from tests.sdk.packed_rows import name, packed, table_of

FP = b"fingerprint"

# Fingerprints of few different bytes, and numbers of the same: they stand in the middle of rows and across two of them, too.
hostile_names = st.lists(st.sampled_from([0, 4, 0x44, 255]), min_size=11, max_size=11).map(
    bytes
) | st.sampled_from([bytes(11), b"\xff" * 11, b"\0\0\0\x44" + bytes(7), bytes(10) + b"\x01"])
numbers = st.sampled_from([0x44444444, 0x04040404, 0x00000044, 0x44000000, NEVER])
hostile_rows = st.builds(
    lambda fp, kind, slot, cutoff, expires_at: (
        Row.for_block(fp, kind, expires_at)
        if slot
        else Row.for_cutoff(fp, kind, min(cutoff, NEVER - 1), expires_at)
    ),
    hostile_names,
    st.sampled_from([0, 4, 5, 32, 63]),
    st.sampled_from(Slot),
    numbers,
    numbers,
)
hostile_tables = st.lists(hostile_rows, max_size=40, unique_by=lambda row: row.key)


@given(hostile_tables, st.lists(hostile_names, max_size=20), st.booleans(), st.sampled_from([0, 1, 100_000]))
def test_all_rows_of_a_fingerprint_are_found_in_order_and_none_of_another(
    rows: list[Row], others: list[bytes], with_filter: bool, expected: int
) -> None:
    table = packed(rows)
    builder = IndexBuilder(expected, with_filter=with_filter)
    builder.add(table)
    for base in (PackedBase.build(table, with_filter=with_filter), PackedBase.open(table, builder.finish())):
        for fingerprint in {*others, *(row.fingerprint for row in rows)}:
            assert base.find(fingerprint) == packed(row for row in rows if row.fingerprint == fingerprint)


@pytest.mark.parametrize("count", [0, 1, 2, 15, 16, 17, 1000, 8191, 8192, 8193, 20_000])
def test_every_row_is_found_from_the_first_to_the_last(count: int) -> None:
    base = PackedBase.build(table_of(count))
    assert len(base) == count
    for number in range(count):
        assert base.find(name(number)) == Row.for_block(name(number), 4, NEVER).pack()
    assert not any(base.find(name(number)) for number in range(count, count + 1000))


def test_every_row_is_found_where_somebody_made_hundreds_begin_alike() -> None:
    """Who may revoke can try selectors until their fingerprints begin alike: that costs speed at most."""
    alike = [Row.for_block(name(7)[:4] + name(number)[:7], 4, NEVER) for number in range(500)]
    others = [Row.for_block(name(number), 4, NEVER) for number in range(3000)]
    base = PackedBase.build(packed([*alike, *others]))
    assert all(base.find(row.fingerprint) == row.pack() for row in [*alike, *others])


def test_both_slots_and_every_kind_of_a_fingerprint_come_in_one_search() -> None:
    rows = [
        Row.for_cutoff(FP, 4, 100, 200),
        Row.for_block(FP, 4, 300),
        Row.for_cutoff(FP, 5, 100, 200),
        Row.for_block(FP, 63, 300),
    ]
    neighbours = [Row.for_block(b"fingerprins", 4, 1), Row.for_block(b"fingerprinu", 4, 1)]
    assert PackedBase.build(packed([*rows, *neighbours])).find(FP) == packed(rows)


def test_a_fingerprints_bytes_across_two_rows_are_no_row() -> None:
    across = (4).to_bytes(1, "big") + (0x01020304).to_bytes(4, "big") + NEVER.to_bytes(4, "big") + b"\x05\x05"
    rows = [Row.for_cutoff(b"\x04" + bytes(10), 4, 0x01020304, NEVER), Row.for_block(b"\x05" * 11, 4, NEVER)]
    table = packed(rows)
    assert across in table
    builder = IndexBuilder(0, with_filter=False)  # one bucket of all rows
    builder.add(table)
    base = PackedBase.open(table, builder.finish())
    assert base.find(across) == b""
    # The genuine row behind the chance match is found all the same.
    table = packed([*rows, Row.for_block(across, 4, 7)])
    assert PackedBase.build(table).find(across) == Row.for_block(across, 4, 7).pack()


def test_an_index_made_of_parts_is_the_index_made_at_once() -> None:
    table = table_of(5000)
    whole, parts = IndexBuilder(5000), IndexBuilder(5000)
    whole.add(table)
    for start in range(0, len(table), 700):
        parts.add(table[start : start + 700])
    assert parts.finish() == whole.finish() == PackedBase.build(table).index_bytes


@given(st.lists(st.integers(0, 300), max_size=12), st.booleans())
def test_the_parts_may_end_anywhere(ends: list[int], with_filter: bool) -> None:
    table = table_of(300)
    builder, start = IndexBuilder(300, with_filter=with_filter), 0
    for end in [*sorted(ends), 300]:
        builder.add(table[start * 20 : end * 20])
        start = end
    base = PackedBase.open(table, builder.finish())
    assert all(base.find(name(number)) for number in range(300))
    assert base.kinds == {4: 300}


def test_it_works_on_a_mapped_file_and_opens_with_the_index_that_was_stored(tmp_path: Path) -> None:
    table, file = table_of(3000), tmp_path / "rows"
    stored = PackedBase.build(table).index_bytes
    file.write_bytes(table)
    with file.open("rb") as opened:
        base = PackedBase.open(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ), memoryview(stored))
    assert base.index_bytes == stored and base.has_filter
    assert all(base.find(name(number)) for number in range(3000))
    assert not any(base.find(name(number)) for number in range(3000, 6000))


def test_the_filter_answers_for_nine_in_ten_that_have_no_row() -> None:
    base = PackedBase.build(table_of(10_000))
    looked: list[int] = []

    class Watched(bytes):
        def __getitem__(self, at: Any) -> Any:
            looked.append(1)
            return super().__getitem__(at)

    watched = PackedBase.open(Watched(base.rows[:]), base.index_bytes)
    for number in range(10_000, 20_000):
        assert watched.find(name(number)) == b""
    assert len(looked) < 1000


def test_index_and_filter_cost_at_most_two_and_a_half_bytes_a_row() -> None:
    # Sizes are powers of two: the dearest number of rows is one more than a power.
    for count in (16_384, 16_385, 20_000, 32_768):
        assert len(PackedBase.build(table_of(count)).index_bytes) < 2.5 * count + 5000


@pytest.mark.parametrize("cut", [0, 8, 47, 48, 100, -1])
def test_an_index_that_is_cut_off_is_refused(cut: int) -> None:
    table = table_of(100)
    index = PackedBase.build(table).index_bytes
    with pytest.raises(UnusableIndex):
        PackedBase.open(table, index[:cut])
    with pytest.raises(UnusableIndex):
        PackedBase.open(table, bytes(index) + b"\0")


@pytest.mark.parametrize("at", range(36))
def test_a_header_that_says_anything_else_is_refused(at: int) -> None:
    table = table_of(100)
    index = bytearray(PackedBase.build(table).index_bytes)
    index[at] ^= 0x81
    with pytest.raises(UnusableIndex):
        PackedBase.open(table, bytes(index))


def test_an_index_of_other_rows_is_refused() -> None:
    index = PackedBase.build(table_of(100)).index_bytes
    with pytest.raises(UnusableIndex):
        PackedBase.open(table_of(101), index)


def test_it_knows_its_rows_by_kind_and_about_which_part_has_expired() -> None:
    rows = [Row.for_block(name(number), (0, 4, 32)[number % 3], 1000 + number) for number in range(3000)]
    base = PackedBase.build(packed(rows))
    assert base.kinds == {0: 1000, 4: 1000, 32: 1000}
    assert base.dead_share(999) == 0 and base.dead_share(3999) == 1
    assert 0.4 < base.dead_share(2500) < 0.6
    assert PackedBase.build().dead_share(NEVER) == 0


@given(hostile_tables, st.integers(0, 6))
def test_its_parts_are_its_rows_and_each_begins_with_its_own_bits(rows: list[Row], bits: int) -> None:
    table = packed(rows)
    parts = list(PackedBase.build(table).split(bits))
    assert b"".join(parts) == table and len(parts) == 1 << bits
    for number, part in enumerate(parts):
        for start in range(0, len(part), 20):
            assert int.from_bytes(part[start : start + 4], "big") >> 32 - bits == number
