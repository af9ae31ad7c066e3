"""One partition's state machine, against the model table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revocast.schemas.row import NEVER, Row, Slot, pack_rows
from revocast.schemas.table import Table
from revocast.streams.errors import Inexact, MalformedFrame
from revocast.streams.frames import BasePiece, Frame, KeyVersions, Mark, bucket_of, decode, encode
from revocast.streams.shard import (
    MARKS_KEY,
    Shard,
    Step,
    alive,
    epoch_prefix,
    is_newer,
    live_rows,
    rows_at,
    split_bucket,
)
from revocast.streams.snapshots.base import spans

Store = dict[bytes, bytes]
NOTHING: Store = {}


def frame(n: int, t: int, *rows: Row, epoch: int = 1, closes: bool = False) -> Frame:
    return Frame(Mark(epoch, n, t, n - 1, bytes([n]) * 32), rows, closes or n == 1)


def packed(store: Store, mark: Mark) -> bytes:
    prefix = epoch_prefix(mark.epoch)
    values = [store[key] for key in sorted(store) if key.startswith(prefix) and key != MARKS_KEY]
    return b"".join(row for value in values for row in live_rows(split_bucket(value)[1], mark.t))


fingerprints = st.integers(0, 5).map(lambda i: bytes([0, i // 2, i]) + bytes(8))
rows = st.one_of(
    st.builds(Row.for_cutoff, fingerprints, st.just(4), st.integers(1, 60), st.integers(1, 60)),
    st.builds(Row.for_block, fingerprints, st.just(4), st.integers(1, 60) | st.just(NEVER)),
    st.builds(Row.for_lift, fingerprints, st.just(4), st.sampled_from(Slot)),
)
histories = st.lists(st.tuples(st.integers(0, 9), st.lists(rows, max_size=4)), min_size=1, max_size=12)


@given(histories, st.data())
def test_its_rows_equal_the_models_after_any_duplicates_gaps_and_restarts(history, data) -> None:  # type: ignore[no-untyped-def]
    t, model, frames = 0, Table(), []
    for n, (dt, own) in enumerate(history, start=1):
        t += dt
        frames.append(frame(n, t, *own))
        model.apply(own, t)

    store: Store = {}
    shard = Shard()
    while shard.mark is None or shard.mark.n < len(frames):
        if data.draw(st.booleans()):
            shard = Shard.load(store.get)
        first = data.draw(st.integers(0, len(frames) - 1))
        message = decode(encode(frames[first : data.draw(st.integers(first, len(frames)))]))
        effect = shard.receive(message, store.get)
        written = list(effect.writes.items())
        if written and data.draw(st.booleans()):
            # A crash between the writes: what was written stands, the mark comes last, the message comes again.
            store.update(written[: data.draw(st.integers(0, len(written) - 1))])
            shard = Shard.load(store.get)
            continue
        store.update(written)
        if not data.draw(st.booleans()):
            store.update(shard.receive(frames, store.get).writes)
    assert packed(store, shard.mark) == model.pack()


def test_a_gap_changes_nothing_and_says_so() -> None:
    shard, block = Shard(), Row.for_block(bytes(11), 4, NEVER)
    shard.receive([frame(1, 10)], NOTHING.get)
    effect = shard.receive([frame(3, 12, block)], NOTHING.get)
    assert (effect.steps, effect.writes, shard.mark.n) == ([Step.GAP], {}, 1)  # type: ignore[union-attr]


def test_a_later_epoch_takes_over_when_its_live_set_is_closed() -> None:
    store: Store = {}
    shard = Shard()
    old, new = Row.for_block(bytes(11), 4, NEVER), Row.for_block(b"\x01" * 11, 4, NEVER)
    store.update(shard.receive([frame(1, 10, old)], store.get).writes)
    store.update(shard.receive([Frame(Mark(2, 1, 11, 1, bytes(32)), (new,))], store.get).writes)
    shard = Shard.load(store.get)
    assert shard.mark is not None
    assert shard.building is not None
    assert packed(store, shard.mark) == old.pack()

    effect = shard.receive([Frame(Mark(2, 2, 12, 2, bytes(32)), (), True)], store.get)
    store.update(effect.writes)
    assert effect.retired_epoch == 1
    assert shard.building is None
    assert packed(store, shard.mark) == new.pack()


def test_recovery_keeps_the_higher_n_of_two_writers() -> None:
    store: Store = {}
    shard = Shard()
    first = dict(shard.receive([frame(1, 10, Row.for_block(bytes(11), 4, NEVER))], store.get).writes)
    store.update(first)
    second = shard.receive([frame(2, 11, Row.for_lift(bytes(11), 4, Slot.BLOCK))], store.get).writes
    for key, value in second.items():
        assert is_newer(value, first[key], key)
        assert not is_newer(first[key], value, key)


@given(histories, st.data())
def test_at_a_cut_the_stored_state_is_the_models_at_that_n_whatever_came_in_one_message(  # type: ignore[no-untyped-def]
    history, data
) -> None:
    t, model, frames, at_cuts = 0, Table(), [], {}
    for n, (dt, own) in enumerate(history, start=1):
        t += dt
        cut = data.draw(st.none() | st.just(KeyVersions(1, n)))
        frames.append(Frame(Mark(1, n, t, n - 1, bytes([n]) * 32), tuple(own), n == 1, cut))
        model.apply(own, t)
        if cut:
            at_cuts[n] = model.pack()

    store: Store = {}
    shard, rest, found = Shard(), list(decode(encode(frames))), {}
    assert rest == frames
    while rest:
        effect = shard.receive(rest, store.get)
        store.update(effect.writes)
        if effect.cut:
            mark = effect.cut.mark
            assert shard.mark == mark
            found[mark.n] = packed(store, mark)
            assert all(n <= mark.n for n, _ in map(split_bucket, buckets_of(store)))
        rest = rest[len(effect.steps) :]
    assert found == at_cuts


def test_a_cut_is_none_when_it_comes_again_or_while_an_epoch_is_being_built() -> None:
    store: Store = {}
    shard = Shard()
    cut = Frame(Mark(1, 2, 10, 1, bytes(32)), cut=KeyVersions(1, 1))
    store.update(shard.receive([frame(1, 10)], store.get).writes)
    assert shard.receive([cut], store.get).cut == cut
    assert shard.receive([cut], store.get).cut is None
    building = Frame(Mark(2, 1, 11, 2, bytes(32)), cut=KeyVersions(2, 1))
    assert shard.receive([building], store.get).cut is None


def buckets_of(store: Store) -> list[bytes]:
    return [value for key, value in store.items() if key != MARKS_KEY]


def base_of(rows: list[Row], mark: Mark, lasts: list[int]) -> list[BasePiece]:
    return [
        BasePiece(
            mark, first, last, pack_rows(row for row in rows if first <= bucket_of(row.fingerprint) <= last)
        )
        for first, last in spans(0, lasts)
    ]


@given(histories, histories, st.data())
def test_a_base_over_any_older_state_gives_the_models_table_and_frames_go_on_from_there(  # type: ignore[no-untyped-def]
    before, after, data
) -> None:
    t, model, frames = 0, Table(), []
    for n, (dt, own) in enumerate([*before, *after], start=1):
        t += dt
        frames.append(frame(n, t, *own))
    base_n = len(before)
    for each in frames[:base_n]:
        model.apply(each.rows, each.mark.t)
    rows = sorted(model, key=lambda row: row.key)
    pieces = base_of(rows, frames[base_n - 1].mark, data.draw(st.sampled_from([[], [0], [0, 1], [0, 1, 2]])))

    store: Store = {}
    shard = Shard()
    store.update(shard.receive(frames[: data.draw(st.integers(0, base_n))], store.get).writes)
    crash_after = data.draw(st.integers(0, len(pieces)))
    for piece in pieces[:crash_after]:
        store.update(shard.receive(decode(encode([piece])), store.get).writes)
    if data.draw(st.booleans()):
        shard = Shard.load(store.get)
        for piece in pieces[crash_after:]:
            # Those that were acknowledged do not come again: without them the rest is a gap, or was not needed.
            store.update(shard.receive([piece], store.get).writes)
        if shard.mark is None or shard.mark.n < base_n:
            assert shard.receive(frames[base_n:], store.get).steps in ([], [Step.GAP])
    for piece in pieces:
        store.update(shard.receive([piece], store.get).writes)
    assert shard.mark is not None
    assert packed(store, shard.mark) == model.pack()
    for each in frames[base_n:]:
        store.update(shard.receive([each], store.get).writes)
        model.apply(each.rows, each.mark.t)
    assert packed(store, shard.mark) == model.pack()


def test_a_base_of_a_later_epoch_retires_the_older_one_when_it_is_complete() -> None:
    store: Store = {}
    shard = Shard()
    old, new = Row.for_block(bytes(11), 4, NEVER), Row.for_block(b"\x00\x01" + bytes(9), 4, NEVER)
    store.update(shard.receive([frame(1, 10, old)], store.get).writes)
    mark = Mark(3, 7, 20, 0, bytes(32))
    first, second = base_of([new], mark, [0, 1])
    effect = shard.receive([first], store.get)
    store.update(effect.writes)
    assert (effect.retired_epoch, shard.mark.epoch) == (None, 1)  # type: ignore[union-attr]
    effect = shard.receive([second], store.get)
    store.update(effect.writes)
    assert (effect.retired_epoch, shard.mark) == (1, mark)
    assert packed(store, mark) == new.pack()


def test_rows_that_are_not_of_the_buckets_of_a_base_are_refused() -> None:
    row = Row.for_block(b"\x00\x09" + bytes(9), 4, NEVER)
    with pytest.raises(MalformedFrame):
        decode(encode([BasePiece(Mark(1, 1, 1, 0, bytes(32)), 0, 3, row.pack())]))


@given(st.lists(rows.filter(lambda row: not row.lift), max_size=8), st.integers(0, 70))
def test_what_is_alive_in_one_piece_is_what_is_alive_row_by_row(some: list[Row], t: int) -> None:
    assert alive(pack_rows(some), t) == b"".join(live_rows(pack_rows(some), t))


def test_the_spans_of_a_base_cover_every_bucket_of_every_partition_once() -> None:
    covered = [
        bucket
        for partition in range(12)
        for first, last in spans(partition, [])
        for bucket in range(first, last + 1)
    ]
    assert covered == list(range(1 << 16))
    for partition in range(12):
        (first, last), *_ = spans(partition, [])
        piece = BasePiece(Mark(1, 1, 1, 0, bytes(32)), first, last, b"")
        assert (piece.opens, piece.completes) == (True, True)
        halves = list(spans(partition, [first + 7, last - 3]))
        assert halves == [(first, first + 7), (first + 8, last)]


def test_a_bucket_that_a_crash_left_ahead_of_the_mark_makes_a_cut_inexact() -> None:
    store: Store = {}
    shard = Shard()
    store.update(shard.receive([frame(1, 10)], store.get).writes)
    cut, ahead = frame(2, 11), frame(3, 12, Row.for_block(bytes(11), 4, NEVER))
    writes = shard.receive([cut, ahead], store.get).writes
    del writes[MARKS_KEY]  # The crash: the bucket was written, the mark was not.
    store.update(writes)
    shard = Shard.load(store.get)
    store.update(shard.receive([cut], store.get).writes)
    items = [(key, value) for key, value in store.items() if key != MARKS_KEY]
    with pytest.raises(Inexact, match="record 3 already"):
        rows_at(cut.mark, items)
    assert rows_at(ahead.mark, items) == [(0, ahead.rows[0].pack())]


def test_a_base_that_lacks_a_piece_is_a_gap_and_moves_no_mark() -> None:
    rows = [Row.for_block(bytes([0, bucket]) + bytes(9), 4, NEVER) for bucket in range(3)]
    first, second, third = base_of(rows, Mark(1, 7, 20, 0, bytes(32)), [0, 1, 2])
    other = base_of(rows, Mark(1, 9, 20, 0, bytes(32)), [0, 1, 2])
    for pieces in ([second], [first, third], [first, other[1]]):
        shard = Shard()
        steps = [shard.receive([piece], NOTHING.get).steps[0] for piece in pieces]
        assert (steps[-1], shard.mark) == (Step.GAP, None)
