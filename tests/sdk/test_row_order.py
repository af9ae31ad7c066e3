"""Millions of rows are judged as one by one would be."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revocast.schemas.errors import MalformedRow
from revocast.schemas.row import FLAGS_AT, NEVER, SLOT, Row, Slot, pack_rows
from revocast.schemas.table import Table
from revocast.sdk.row_order import problem_with

T = 1_000

rows = st.builds(
    lambda fingerprint, kind, slot, expires_at, lift: (
        Row.for_lift(fingerprint, kind, slot) if lift else Row(fingerprint, kind, slot, expires_at=expires_at)
    ),
    st.sampled_from([bytes(11), bytes(10) + b"\x01", b"\x01" + bytes(10), b"\xff" * 11]),
    st.sampled_from([1, 2, 3]),
    st.sampled_from(list(Slot)),
    st.sampled_from([T, T + 1, NEVER]),
    st.sampled_from([False] * 9 + [True]),
)


def is_table(packed: bytes) -> bool:
    try:
        Table.from_packed(packed, T)
    except MalformedRow:
        return False
    return True


@given(st.lists(rows, max_size=6), st.booleans())
def test_it_finds_what_looking_at_each_row_finds(found: list[Row], in_order: bool) -> None:
    if in_order:
        found = [row for _, row in sorted({row.key: row for row in found}.items())]
    packed = pack_rows(found)
    assert (problem_with(packed, T) == "") == is_table(packed)


MANY = sorted(
    Row.for_block(hashlib.sha256(b"%d" % number).digest()[:11], 1, T + 1).pack() for number in range(5000)
)


@pytest.mark.parametrize("at", [0, 1, 2045, 2046, 2047, 2048, 4092, 4093, 4998])
def test_it_finds_one_wrong_row_among_thousands_wherever_it_stands(at: int) -> None:
    assert problem_with(b"".join(MANY), T) == ""
    swapped = [*MANY[:at], MANY[at + 1], MANY[at], *MANY[at + 2 :]]
    assert "order" in problem_with(b"".join(swapped), T)
    twice = [*MANY[:at], MANY[at], *MANY[at:]]
    assert "order" in problem_with(b"".join(twice), T)
    dead = [*MANY[:at], MANY[at][:16] + T.to_bytes(4), *MANY[at + 1 :]]
    assert "dead" in problem_with(b"".join(dead), T)
    lift = [*MANY[:at], MANY[at][:11] + b"\x81" + MANY[at][12:], *MANY[at + 1 :]]
    assert "lift" in problem_with(b"".join(lift), T)


def test_a_row_of_a_kind_that_is_not_assigned_is_found() -> None:
    strange = bytearray(MANY[7])
    strange[FLAGS_AT] = SLOT | 9
    assert "kind" in problem_with(b"".join([*MANY[:7], bytes(strange), *MANY[8:]]), T)


def test_a_part_of_a_row_is_none() -> None:
    assert problem_with(MANY[0][:-1], T)
    assert problem_with(b"", T) == ""
