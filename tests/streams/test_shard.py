"""One partition's state machine, against the model table."""

from hypothesis import given
from hypothesis import strategies as st

from revocast.schemas.row import NEVER, Row, Slot
from revocast.schemas.table import Table
from revocast.streams.frames import Frame, Mark, decode, encode
from revocast.streams.shard import MARKS_KEY, Shard, Step, epoch_prefix, is_newer, live_rows, split_bucket

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
