"""The rules of slots, each in one test, and any history against a model that keeps them in the plainest way."""

from hypothesis import given
from hypothesis import strategies as st

from revocast.schemas.row import NEVER, Row, Slot, unpack_rows
from revocast.schemas.table import Table, merge_packed, step, step_packed

FP = bytes(11)
T = 1000


def cutoff(at: int, expires_at: int = NEVER) -> Row:
    return Row.for_cutoff(FP, 4, at, expires_at)


def block(expires_at: int = NEVER) -> Row:
    return Row.for_block(FP, 4, expires_at)


def lift(slot: Slot) -> Row:
    return Row.for_lift(FP, 4, slot)


def test_the_later_cutoff_and_the_later_expiry_win_each_for_itself() -> None:
    assert step(cutoff(900, 2000), cutoff(800, 3000), T) == cutoff(900, 3000)
    assert step(cutoff(800, 3000), cutoff(900, 2000), T) == cutoff(900, 3000)


def test_a_row_that_expires_at_t_counts_as_absent_before_the_join() -> None:
    assert step(cutoff(900, T), cutoff(100, 2000), T) == cutoff(100, 2000)
    assert step(cutoff(900, T + 1), cutoff(100, 2000), T) == cutoff(900, 2000)


def test_a_row_that_is_dead_on_arrival_leaves_nothing() -> None:
    assert step(None, block(T), T) is None


def test_a_sign_out_does_not_unblock_a_blocked_user() -> None:
    table = Table()
    table.apply([block(), cutoff(T)], T)
    table.apply([lift(Slot.CUTOFF)], T + 1)
    assert table.get(FP, 4, Slot.BLOCK) == block()
    assert table.get(FP, 4, Slot.CUTOFF) is None


def test_shortening_is_a_lift_then_a_revocation_in_one_record() -> None:
    table = Table()
    table.apply([block()], T)
    table.apply([lift(Slot.BLOCK), block(T + 50)], T + 1)
    assert table.get(FP, 4, Slot.BLOCK) == block(T + 50)


def test_only_the_time_of_the_log_drops_a_row() -> None:
    table = Table()
    table.apply([block(T + 50)], T)
    assert table.get(FP, 4, Slot.BLOCK) is not None
    table.apply([], T + 50)
    assert table.get(FP, 4, Slot.BLOCK) is None
    assert table.pack() == b""
    assert table.drop_expired() == 1


rows = st.builds(
    lambda number, kind, slot, is_lift, at, life: (
        Row.for_lift(bytes([number]) * 11, kind, slot)
        if is_lift
        else Row(
            bytes([number]) * 11,
            kind,
            slot,
            cutoff=at if slot is Slot.CUTOFF else 0,
            expires_at=NEVER if life == 0 else T + life,
        )
    ),
    st.integers(0, 3),
    st.sampled_from([4, 5]),
    st.sampled_from(list(Slot)),
    st.booleans(),
    st.integers(0, 50),
    st.integers(0, 60),
)
histories = st.lists(st.tuples(st.integers(0, 15), st.lists(rows, max_size=6)), max_size=15)


def model(history: list[tuple[int, list[Row]]]) -> dict[tuple[bytes, int, int], tuple[int, int]]:
    """The rule of the architecture document in its plainest form: sweep, then apply one by one."""
    slots: dict[tuple[bytes, int, int], tuple[int, int]] = {}
    t = T
    for advance, batch in history:
        t += advance
        for row in batch:
            slots = {key: value for key, value in slots.items() if value[1] > t}
            if row.lift:
                slots.pop(row.key, None)
            else:
                held = slots.get(row.key, (0, 0))
                slots[row.key] = (max(held[0], row.cutoff), max(held[1], row.expires_at))
        slots = {key: value for key, value in slots.items() if value[1] > t}
    return slots


@given(histories)
def test_any_history_gives_the_models_table_in_memory_and_packed(
    history: list[tuple[int, list[Row]]],
) -> None:
    table, packed, t = Table(), b"", T
    for advance, batch in history:
        t += advance
        table.apply(batch, t)
        packed = merge_packed(packed, batch, t)
    expected = dict(sorted(model(history).items()))
    assert {row.key: (row.cutoff, row.expires_at) for row in unpack_rows(table.pack())} == expected
    assert packed == table.pack()
    assert Table.from_packed(packed, t).pack() == packed


@given(histories, st.integers(0, 10))
def test_dropping_expired_rows_at_any_moment_changes_no_byte(
    history: list[tuple[int, list[Row]]], at: int
) -> None:
    swept, kept, t = Table(), Table(), T
    for index, (advance, batch) in enumerate(history):
        t += advance
        swept.apply(batch, t)
        kept.apply(batch, t)
        if index == at:
            swept.drop_expired()
    assert swept.pack() == kept.pack()


@given(st.lists(rows.filter(lambda row: not row.lift), max_size=8), rows.filter(lambda row: not row.lift))
def test_adding_a_revocation_never_revives_anything(before: list[Row], added: Row) -> None:
    table = Table()
    table.apply(before, T)
    held = {row.key: row for row in table}
    table.apply([added], T)
    for key, row in held.items():
        now = table.get(*key[:2], Slot(key[2]))
        assert now is not None
        assert now.cutoff >= row.cutoff
        assert now.expires_at >= row.expires_at


def _packed_after(held: bytes, batch: list[Row], t: int) -> bytes:
    for row in batch:
        held = step_packed(held, row.pack(), t.to_bytes(4, "big"))
    return held


@given(histories)
def test_a_step_on_packed_rows_of_a_fingerprint_is_the_same_step(
    history: list[tuple[int, list[Row]]],
) -> None:
    table, t = Table(), T
    packed = {bytes([number]) * 11: b"" for number in range(4)}
    for advance, batch in history:
        t += advance
        table.apply(batch, t)
        for fingerprint, held in packed.items():
            packed[fingerprint] = _packed_after(
                held, [row for row in batch if row.fingerprint == fingerprint], t
            )
            # One without dead rows compares with the table; the step alone drops them only when a row comes.
            alive = [row for row in unpack_rows(packed[fingerprint]) if row.expires_at > t]
            assert alive == sorted(alive, key=lambda row: row.key)
            assert alive == sorted(
                (row for row in table if row.fingerprint == fingerprint), key=lambda row: row.key
            )
