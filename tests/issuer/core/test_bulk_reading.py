"""A list that is read at once says what its lines say one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revocast.issuer.authority.bulk import Line
from revocast.issuer.authority.revocations import Revocation
from revocast.issuer.operators.bulk.errors import BadLine
from revocast.issuer.operators.bulk.reading import LineReader
from tests.issuer.core.test_grouping import TERMS, T


def no_token(_token: str) -> Revocation:
    raise AssertionError("there are no tokens in a list")


def reader(kind: str | None = None, form: str = "list") -> LineReader:
    return LineReader(form, TERMS, no_token, lambda: T, kind=kind)  # type: ignore[arg-type]


def one_by_one(reading: LineReader, raws: list[bytes]) -> list[Line | None] | None:
    try:
        return [reading.read(raw) for raw in raws]
    except BadLine:
        return None


PLAIN = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=1100)
ANY = st.one_of(PLAIN, st.text(max_size=8)).map(lambda text: text.replace("\n", "").encode())


@given(
    st.lists(ANY, max_size=6),
    st.sampled_from([None, "token", "subject", "claim:tenant", "subject+client", "key"]),
)
def test_a_list_read_at_once_is_what_its_lines_are_one_by_one(raws: list[bytes], kind: str | None) -> None:
    reading = reader(kind)
    at_once = reading.read_plain(raws)
    if at_once is not None:
        assert {type(line) for line in at_once} == {Line}
        assert at_once == one_by_one(reading, raws)


def test_a_list_of_plain_names_is_read_at_once() -> None:
    assert len(reader().read_plain([b"jti-%d" % number for number in range(1000)]) or ()) == 1000


@pytest.mark.parametrize(
    "raws",
    [
        [b"a", None],
        [b"a", b""],
        [b"a", b" b"],
        [b"a\tb"],
        [b"a\0"],
        ["ä".encode()],
        [b"a.b.c"],
        [b"a" * 1025],
        [],
    ],
)
def test_what_needs_a_second_look_is_read_line_by_line(raws: list[bytes | None]) -> None:
    assert reader().read_plain(raws) is None


def test_other_forms_are_read_line_by_line() -> None:
    assert reader(form="jsonl").read_plain([b'"a"']) is None
    assert reader(form="csv").read_plain([b"value", b"a"]) is None
