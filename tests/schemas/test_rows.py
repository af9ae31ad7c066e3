"""Packed rows in a record: as strict as single rows, and a sequence of them for whoever looks."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revocast.schemas.errors import MalformedRow
from revocast.schemas.record import Record
from revocast.schemas.row import NEVER, Row, Slot, unpack_rows
from revocast.schemas.rows import Rows

FP = bytes(range(11))
THREE = (Row.for_block(FP, 4, NEVER), Row.for_lift(FP, 4, Slot.CUTOFF), Row.for_cutoff(FP, 32, 100, 200))

corners = st.sampled_from([0, 1, NEVER - 1, NEVER])
anything = st.builds(
    lambda flags, cutoff, expires_at: (
        FP + bytes([flags]) + cutoff.to_bytes(4, "big") + expires_at.to_bytes(4, "big")
    ),
    st.integers(0, 255),
    corners,
    corners,
)


@given(st.lists(anything, max_size=4).map(b"".join), st.binary(max_size=2))
def test_it_takes_exactly_the_bytes_that_single_rows_take_and_says_the_same_of_the_others(
    rows: bytes, rest: bytes
) -> None:
    if (complaint := _complaint(unpack_rows, rows + rest)) is None:
        assert Rows(rows + rest) == unpack_rows(rows + rest)
    assert _complaint(Rows, rows + rest) == complaint


def test_every_flags_byte_with_every_corner_of_the_numbers_is_judged_as_a_single_row_is() -> None:
    for flags in range(256):
        for cutoff in (0, 1, NEVER - 1, NEVER):
            for expires_at in (0, 1, NEVER):
                row = FP + bytes([flags]) + cutoff.to_bytes(4, "big") + expires_at.to_bytes(4, "big")
                assert _complaint(Rows, row) == _complaint(Row.unpack, row)


def _complaint(reader: Callable[[bytes], object], data: bytes) -> str | None:
    try:
        reader(data)
    except MalformedRow as error:
        return str(error)
    return None


def test_it_is_the_sequence_of_its_rows() -> None:
    rows = Rows.of(THREE)
    assert len(rows) == 3 and rows and not Rows()
    assert tuple(rows) == THREE and list(reversed(rows)) == list(reversed(THREE))
    assert (rows[0], rows[-1], rows[1:], rows[::-1]) == (THREE[0], THREE[2], THREE[1:], THREE[::-1])
    assert THREE[1] in rows and rows.index(THREE[2]) == 2
    with pytest.raises(IndexError):
        rows[3]


def test_it_equals_the_same_rows_in_a_tuple_a_list_or_packed_and_nothing_else() -> None:
    rows = Rows.of(THREE)
    assert rows == THREE and tuple.__eq__(THREE, rows) is NotImplemented and rows == list(THREE)
    assert rows == Rows(rows.packed)
    assert hash(rows) == hash(THREE)
    assert rows != THREE[:2] and rows != rows.packed and rows != Rows()


def test_what_is_packed_already_is_not_packed_again() -> None:
    rows = Rows.of(THREE)
    assert Rows.of(rows) is rows


def record(rows: Rows) -> Record:
    return Record(epoch=1, n=1, prev=bytes(32), t=1, rows=rows, delegations=1, key_set=1)


def test_a_record_is_read_and_written_without_an_object_for_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    written = record(Rows.of(THREE))
    monkeypatch.setattr(Row, "__post_init__", None)
    again = Record.model_validate(written.model_dump(mode="json"))
    assert again.rows.packed == written.rows.packed and len(again.rows) == 3


def test_a_thousand_rows_are_a_record_and_one_more_is_none() -> None:
    row = THREE[0].pack()
    assert len(record(Rows(row * 1000)).rows) == 1000
    with pytest.raises(ValueError, match="at most 1000 rows"):
        record(Rows(row * 1001))
