"""However a file is cut into pieces, its lines are the same."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from revocast.issuer.operators.bulk.splitting import MAX_LINE, LineSplitter

LINE = st.one_of(
    st.sampled_from([b"", b"a", b"b\r", b"\r", b"c\rd"]),
    st.integers(-2, 2).map(lambda more: b"x" * (MAX_LINE + more)),
)


@given(st.lists(LINE, max_size=6), st.lists(st.integers(0, 3 * MAX_LINE), max_size=4), st.booleans())
def test_lines_end_with_lf_or_crlf_and_too_long_ones_are_none(
    lines: list[bytes], cuts: list[int], ended: bool
) -> None:
    data = b"\n".join(lines) + (b"\n" if ended and lines else b"")
    splitter, read = LineSplitter(), list[bytes | None]()
    places = [0, *sorted(cuts), len(data)]
    for start, end in itertools.pairwise(places):
        read += splitter.feed(data[start:end])
    read += splitter.end()
    expected = [None if len(line) > MAX_LINE else line.removesuffix(b"\r") for line in lines]
    if lines and not ended and not lines[-1]:
        expected.pop()
    assert read == expected
