"""Parts of cuts: their bytes, and when a cut is whole."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revocast.schemas.snapshot import Chunk
from revocast.schemas.topics import FRAME_PARTITIONS
from revocast.streams.errors import MalformedFrame
from revocast.streams.frames import KeyVersions, Mark
from revocast.streams.snapshots.gathering import Gathering
from revocast.streams.snapshots.parts import Part

VERSIONS = KeyVersions(2, 3)
chunks = st.builds(
    Chunk,
    sha256=st.binary(min_size=32, max_size=32),
    rows=st.integers(1, 45_000),
    first=st.just(7),
    last=st.integers(7, 99),
    offset=st.integers(0, 2**40),
)


def part(partition: int, n: int, hash: bytes = bytes(32), **more: object) -> Part:
    return Part(partition, Mark(1, n, n, n, hash), VERSIONS, **more)  # type: ignore[arg-type]


@given(st.lists(chunks, max_size=5), st.none() | st.text())
def test_a_part_is_read_as_it_was_written(listed: list[Chunk], abandoned: str | None) -> None:
    written = part(3, 9, chunks=() if abandoned is not None else tuple(listed), abandoned=abandoned)
    assert Part.unpack(written.key, written.pack()) == written


@given(st.binary(max_size=3), st.binary(max_size=200))
def test_what_is_no_part_is_refused_with_one_error(key: bytes, value: bytes) -> None:
    with pytest.raises(MalformedFrame):
        Part.unpack(key, value)


def test_a_cut_is_whole_when_every_partition_has_reported_it_in_whatever_order() -> None:
    gathering = Gathering()
    parts = [part(partition, n) for n in (5, 9) for partition in range(FRAME_PARTITIONS)]
    random.Random(7).shuffle(parts)
    for each in parts[:-1]:
        gathering.receive(each)
        gathering.receive(each)
    incomplete = parts[-1].mark.n
    assert [cut.place[1] for cut in gathering.cuts if not cut.whole] == [incomplete]
    gathering.receive(parts[-1])
    whole = gathering.newest_whole
    assert whole is not None
    assert [each.partition for each in whole.ordered()] == list(range(FRAME_PARTITIONS))
    assert whole.place == (1, 9)


def test_parts_of_two_histories_of_one_n_make_no_cut() -> None:
    gathering = Gathering()
    for partition in range(FRAME_PARTITIONS):
        gathering.receive(part(partition, 5, bytes([partition % 2]) * 32))
    assert gathering.newest_whole is None


def test_one_partition_that_abandons_it_ends_a_cut_until_it_reports_again() -> None:
    gathering = Gathering()
    for partition in range(FRAME_PARTITIONS):
        gathering.receive(part(partition, 5))
    gathering.receive(part(4, 5, abandoned="bucket 7 holds record 6 already"))
    assert gathering.newest_whole is None
    assert gathering.cuts[0].abandoned == "bucket 7 holds record 6 already"
    gathering.receive(part(4, 5))
    assert gathering.newest_whole is not None


def test_the_newest_cuts_are_remembered_and_no_more() -> None:
    gathering = Gathering()
    for n in range(1, 100):
        gathering.receive(part(0, n))
    assert [cut.place[1] for cut in gathering.cuts] == list(range(92, 100))
