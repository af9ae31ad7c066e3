"""A file in parts: every line once, in order, with its number."""

import gzip
import io
from collections.abc import Sequence
from itertools import pairwise

import pytest

from revocast.cli.bulk.parts import PART_LINES, Form, LineFile, Part, form_of
from revocast.cli.errors import Misused


def opened(data: bytes, name: str = "-", form: Form | None = None) -> LineFile:
    return LineFile(io.BufferedReader(io.BytesIO(data)), name, form)


def joined(parts: Sequence[Part]) -> bytes:
    for before, part in pairwise(parts):
        assert part.first_line == before.first_line + before.lines
    assert [part.last for part in parts] == [False] * (len(parts) - 1) + [True]
    return b"".join(part.data for part in parts)


@pytest.mark.parametrize("lines", [0, 1, PART_LINES - 1, PART_LINES, PART_LINES + 1, 2 * PART_LINES + 7])
def test_the_parts_are_the_file(lines: int) -> None:
    data = b"".join(b"jti-%d\n" % number for number in range(lines))
    parts = list(opened(data).parts())
    assert joined(parts) == data
    assert len(parts) == max(1, -(-lines // PART_LINES))
    assert joined(list(opened(gzip.compress(data)).parts())) == data


def test_wide_lines_make_small_parts() -> None:
    data = (b"x" * 20_000 + b"\n") * 1000
    parts = list(opened(data).parts())
    assert joined(parts) == data and max(len(part.data) for part in parts) < 5 * 2**20


def test_an_endless_line_is_cut_and_stays_one_line() -> None:
    parts = list(opened(b"a\n" + b"x" * 10_000_000 + b"\nb\n").parts())
    (part,) = parts
    assert part.lines == 3 and len(part.data) < 50_000
    assert part.data.startswith(b"a\nxxx") and part.data.endswith(b"x\nb\n")


@pytest.mark.parametrize("done", [0, 1, 3, 99])
def test_going_on_begins_behind_the_line_that_is_done(done: int) -> None:
    file = opened(b"a\nb\nc\nd")
    file.skip(done)
    (part,) = file.parts()
    assert part.data == b"a\nb\nc\nd"[2 * done :]
    assert part.first_line == min(done, 4) + 1


def test_looking_ahead_takes_no_line_away() -> None:
    file = opened(b"a\nb\nc\n")
    assert file.has_more_than(2) and not file.has_more_than(3)
    assert joined(list(file.parts())) == b"a\nb\nc\n"


def test_a_csvs_first_row_goes_with_every_part() -> None:
    file = opened(b"\xef\xbb\xbfkind,value\r\nsubject,alice\r\n")
    assert (file.form, file.columns) == (Form.CSV, "kind,value")
    (part,) = file.parts()
    assert (part.first_line, part.data) == (2, b"subject,alice\r\n")


@pytest.mark.parametrize(
    ("name", "first", "form"),
    [
        ("a.txt", b'{"x": 1}', Form.LIST),
        ("a.csv.gz", b"x", Form.CSV),
        ("a.ndjson", b"x", Form.JSONL),
        ("-", b'{"token": 1}', Form.JSONL),
        ("-", b'"jti"', Form.JSONL),
        ("-", b"value,slot\r\n", Form.CSV),
        ("a", b"jti-1\n", Form.LIST),
        ("a", b"", Form.LIST),
    ],
)
def test_the_form_is_told_by_the_name_or_by_the_first_line(name: str, first: bytes, form: Form) -> None:
    assert form_of(name, first) is form


@pytest.mark.parametrize(
    "damaged",
    [gzip.compress(b"a\n" * 1000)[:-9], gzip.compress(b"")[:10] + b"\xff" * 50],
    ids=["ends too early", "holds something else"],
)
def test_a_damaged_gzip_file_is_told(damaged: bytes) -> None:
    with pytest.raises(Misused, match="cannot be read any further"):
        list(opened(damaged).parts())
