"""The deny-list: in every state the table's bytes and the table's answers, for readers in other threads, too."""

import itertools
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from revocast.schemas.row import NEVER, Row, Slot
from revocast.schemas.rows import Rows
from revocast.schemas.table import Table
from revocast.sdk.denylist import Absent, DenyList, Refusal
from revocast.sdk.merging import Merge
from revocast.sdk.packed import PackedBase
from tests.sdk.packed_rows import name, packed, table_of

FP = b"fingerprint"
OTHER = b"fingerprins"
FAR = b"\xff" * 11


@dataclass
class Token:
    issued_at: int = 100
    fingerprints: dict[int, bytes] = field(default_factory=lambda: {4: FP})
    asked: list[int] = field(default_factory=list)
    absent: Absent | None = None
    meanwhile: Callable[[int], None] = lambda kind: None

    def fingerprint(self, kind: int) -> bytes | None:
        self.asked.append(kind)
        self.meanwhile(kind)
        return self.fingerprints.get(kind)


def merge(denylist: DenyList) -> None:
    adopt(denylist, denylist.merge())


def adopt(denylist: DenyList, begun: Merge) -> None:
    rows = b"".join(begun)
    denylist.adopt(PackedBase.open(rows, begun.index_bytes), begun.n, begun.t)


rows = st.builds(
    lambda fp, kind, slot, lift, cutoff, expires: (
        Row.for_lift(fp, kind, slot)
        if lift
        else Row.for_block(fp, kind, expires)
        if slot
        else Row.for_cutoff(fp, kind, cutoff, expires)
    ),
    st.sampled_from([FP, OTHER, FAR, bytes(11)]),
    st.sampled_from([0, 4, 6, 32]),
    st.sampled_from(Slot),
    st.booleans(),
    st.integers(0, 300),
    st.integers(1, 300) | st.just(NEVER),
)


class History(RuleBasedStateMachine):
    """Records come, merges are begun, finished or given up, and bases of other processes are adopted, at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.denylist, self.t, self.n = Table(), DenyList(), 0, 0
        self.merges: list[Merge] = []
        self.bases: list[tuple[PackedBase, int, int]] = [(PackedBase.build(), 0, 0)]
        self.tokens = [
            Token(iat, {kind: fp})
            for fp in (FP, OTHER, FAR)
            for kind in (0, 4, 6, 32)
            for iat in (0, 150, 400)
        ]

    @rule(part=st.lists(rows, max_size=4), seconds=st.integers(0, 20))
    def record(self, part: list[Row], seconds: int) -> None:
        self.t += seconds
        self.n += 1
        self.table.apply(part, self.t)
        self.denylist.apply(part, self.t, self.n)

    @rule()
    def begin_a_merge(self) -> None:
        self.merges.append(self.denylist.merge())

    @precondition(lambda self: self.merges)
    @rule(data=st.data(), steps=st.none() | st.integers(0, 2))
    def end_a_merge(self, data: st.DataObject, steps: int | None) -> None:
        begun = self.merges.pop(data.draw(st.integers(0, len(self.merges) - 1)))
        if steps is not None:
            list(itertools.islice(begun, steps))
            return
        made = b"".join(begun)
        self.bases.append((PackedBase.open(made, begun.index_bytes), begun.n, begun.t))

    @rule()
    def another_process_writes_a_base(self) -> None:
        self.bases.append((PackedBase.build(self.table.pack(), with_filter=False), self.n, self.t))

    @rule(data=st.data())
    def adopt(self, data: st.DataObject) -> None:
        base, n, t = data.draw(st.sampled_from(self.bases))
        if n < self.denylist.base_n:
            with pytest.raises(ValueError, match="the one in use"):
                self.denylist.adopt(base, n, t)
        else:
            self.denylist.adopt(base, n, t)

    @rule(data=st.data())
    def begin_anew_from_a_base_and_adopt_one_that_is_ahead(self, data: st.DataObject) -> None:
        base, n, t = data.draw(st.sampled_from(self.bases))
        self.denylist = DenyList(base, n, t)
        self.denylist.adopt(PackedBase.build(self.table.pack()), self.n, self.t)

    @invariant()
    def the_bytes_are_the_tables(self) -> None:
        assert self.denylist.pack() == self.table.pack()
        assert (self.denylist.n, self.denylist.t) == (self.n, self.t)
        assert len(self.denylist) >= len(self.table)

    @invariant()
    def the_answers_are_the_tables(self) -> None:
        for token in self.tokens:
            ((kind, fp),) = token.fingerprints.items()
            block, cut = self.table.get(fp, kind, Slot.BLOCK), self.table.get(fp, kind, Slot.CUTOFF)
            expected = None
            if block:
                expected = Refusal(kind, Slot.BLOCK)
            elif cut and token.issued_at <= cut.cutoff:
                expected = Refusal(kind, Slot.CUTOFF)
            # The same token again and again: what is noted with it must never hide anything.
            assert self.denylist.refusal(token) == expected

    def teardown(self) -> None:
        merge(self.denylist)
        assert self.denylist.pack() == self.table.pack()
        assert len(self.denylist) == len(self.table)


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@given(st.lists(st.lists(rows, max_size=6), max_size=8))
def test_rows_apply_alike_packed_and_one_by_one(records: list[list[Row]]) -> None:
    packed_ones, single = DenyList(), DenyList()
    for n, part in enumerate(records, 1):
        packed_ones.apply(Rows.of(part), 100, n)
        single.apply(iter(part), 100)
    assert packed_ones.pack() == single.pack() and packed_ones.n == single.n == len(records)


def test_a_cutoff_refuses_what_was_issued_in_its_second_and_before() -> None:
    denylist = DenyList()
    denylist.apply([Row.for_cutoff(FP, 4, 100, 1000)], 100)
    assert denylist.refusal(Token(100)) == Refusal(4, Slot.CUTOFF)
    assert denylist.refusal(Token(101)) is None


@pytest.mark.parametrize("merged", [False, True])
def test_a_sign_out_does_not_unblock(merged: bool) -> None:
    denylist = DenyList()
    denylist.apply([Row.for_block(FP, 4, NEVER)], 100)
    if merged:
        merge(denylist)
    denylist.apply([Row.for_cutoff(FP, 4, 100, 1000)], 100)
    assert denylist.refusal(Token(101)) == Refusal(4, Slot.BLOCK)
    denylist.apply([Row.for_lift(FP, 4, Slot.BLOCK)], 100)
    assert denylist.refusal(Token(101)) is None
    assert denylist.refusal(Token(100)) == Refusal(4, Slot.CUTOFF)


@pytest.mark.parametrize("where", ["overlay", "base"])
def test_a_row_that_expires_at_t_refuses_no_more(where: str) -> None:
    denylist = DenyList()
    denylist.apply([Row.for_block(FP, 4, 200), Row.for_cutoff(FP, 4, 100, 200)], 199)
    if where == "base":
        merge(denylist)
    assert denylist.refusal(Token())
    denylist.apply([], 200)
    assert denylist.refusal(Token()) is None


def test_a_row_of_one_kind_refuses_no_token_that_has_the_fingerprint_in_another() -> None:
    for base in (PackedBase.build(), PackedBase.build(packed([Row.for_block(FP, 4, NEVER)]))):
        denylist = DenyList(base, 1, 1)
        denylist.apply([Row.for_block(FP, 5, NEVER)], 1)
        denylist.apply([Row.for_lift(FP, 4, Slot.BLOCK)], 1)
        assert denylist.refusal(Token(fingerprints={4: FP})) is None
        assert denylist.refusal(Token(fingerprints={5: FP})) == Refusal(5, Slot.BLOCK)


def test_kinds_without_a_row_are_not_looked_up() -> None:
    denylist, token = DenyList(), Token()
    denylist.apply([Row.for_block(OTHER, 4, 200)], 100)
    denylist.refusal(token)
    assert token.asked == [4]
    denylist.apply([], 200)
    merge(denylist)
    token.asked.clear()
    denylist.refusal(token)
    assert token.asked == []


def test_a_kind_of_which_the_last_row_went_while_a_merge_ran_is_not_looked_up_for_ever() -> None:
    denylist, token = DenyList(), Token(fingerprints={})
    denylist.apply([Row.for_block(OTHER, 4, 200)], 100)
    denylist.apply([], 200)
    begun = denylist.merge()
    denylist.apply([Row.for_block(OTHER, 6, 300)], 200)
    adopt(denylist, begun)
    denylist.apply([], 200)  # forgets what only repeats the base
    denylist.apply([], 200)
    denylist.refusal(token)
    assert token.asked == [6]


def test_what_the_base_lacks_is_asked_once_and_each_record_after_that_sought_in_the_overlay_alone() -> None:
    denylist, token = DenyList(PackedBase.build(packed([Row.for_block(OTHER, 4, NEVER)])), 1, 1), Token()
    assert denylist.refusal(token) is None and token.asked == [4]
    for _ in range(3):
        denylist.apply([Row.for_block(FAR, 4, NEVER)], 1)
        assert denylist.refusal(token) is None
    assert token.asked == [4]
    denylist.apply([Row.for_block(FP, 4, NEVER)], 1)
    assert denylist.refusal(token) == Refusal(4, Slot.BLOCK)


def test_what_is_noted_with_a_token_ends_with_the_base_and_with_the_kinds() -> None:
    denylist, token = DenyList(PackedBase.build(packed([Row.for_block(OTHER, 4, NEVER)])), 1, 1), Token()
    token.fingerprints = {4: FP, 6: FAR}
    assert denylist.refusal(token) is None
    denylist.apply([Row.for_block(FAR, 6, NEVER)], 1)
    assert denylist.refusal(token) == Refusal(6, Slot.BLOCK)
    other = DenyList(PackedBase.build(packed([Row.for_block(FP, 4, NEVER)])), 1, 1)
    assert other.refusal(token) == Refusal(4, Slot.BLOCK)
    denylist.adopt(PackedBase.build(packed([Row.for_block(FP, 4, NEVER)])), 9, 1)
    assert denylist.refusal(token) == Refusal(4, Slot.BLOCK)


def test_no_token_keeps_a_base_alive() -> None:
    class Base(PackedBase):
        __slots__ = ("__weakref__",)

    denylist, token = DenyList(Base.build(table_of(10)), 1, 1), Token()
    denylist.refusal(token)
    assert token.absent is not None
    old = weakref.ref(denylist.base)
    denylist.adopt(PackedBase.build(), 2, 1)
    assert old() is None


# --- readers in other threads, at the worst moments


def test_nobody_sees_the_middle_of_a_record() -> None:
    denylist = DenyList()
    denylist.apply([Row.for_block(FP, 4, NEVER)], 100)
    seen: list[Refusal | None] = []
    stop, shortened = threading.Event(), [Row.for_lift(FP, 4, Slot.BLOCK), Row.for_block(FP, 4, 500)]

    def read() -> None:
        while not stop.is_set():
            seen.append(denylist.refusal(Token()))

    with often_switching(read):
        try:
            for _ in range(500):
                denylist.apply(shortened, 100)
        finally:
            stop.set()
    assert seen and set(seen) == {Refusal(4, Slot.BLOCK)}


@pytest.mark.parametrize("merged", [False, True])
def test_a_reader_between_two_kinds_when_one_record_moves_a_block_from_the_second_to_the_first_still_refuses(
    merged: bool,
) -> None:
    """It has found nothing under the first and would find nothing under the second, though the token was refused throughout."""
    denylist, there = DenyList(), [4]

    def move(kind: int) -> None:
        if kind == 6 and there == [6]:
            there[:] = [4]
            denylist.apply([Row.for_lift(OTHER, 6, Slot.BLOCK), Row.for_block(FP, 4, NEVER)], 100)

    denylist.apply([Row.for_block(OTHER, 6, NEVER), Row.for_block(FAR, 4, NEVER)], 100)
    if merged:
        merge(denylist)
    there[:] = [6]
    token = Token(fingerprints={4: FP, 6: OTHER}, meanwhile=move)
    assert denylist.refusal(token) == Refusal(4, Slot.BLOCK)


def test_a_reader_in_the_middle_when_a_base_is_adopted_and_the_overlay_forgets_still_refuses() -> None:
    denylist = DenyList()
    denylist.apply([Row.for_block(FP, 6, NEVER), Row.for_block(FAR, 4, NEVER)], 100)
    begun = denylist.merge()
    denylist.apply([], 100)

    def swap(kind: int) -> None:
        if kind == 6 and denylist.base_n == 0:
            adopt(denylist, begun)
            for _ in range(3):
                denylist.apply([], 100)

    token = Token(fingerprints={6: FP}, meanwhile=swap)
    assert denylist.refusal(token) == Refusal(6, Slot.BLOCK)


def test_until_a_base_is_in_use_readers_have_all_of_the_old_one_and_its_overlay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    denylist, seen = DenyList(), list[Refusal | None]()
    denylist.apply([Row.for_block(FP, 4, NEVER)], 100)
    swap = denylist._look_at

    def look_and_swap(*new: Any) -> None:
        seen.append(denylist.refusal(Token()))
        swap(*new)
        seen.append(denylist.refusal(Token()))

    monkeypatch.setattr(denylist, "_look_at", look_and_swap)
    merge(denylist)
    assert seen == [Refusal(4, Slot.BLOCK)] * 2


def test_a_token_that_is_refused_throughout_is_refused_by_every_thread_while_rows_move_and_bases_are_swapped() -> (
    None
):
    table = table_of(2000)
    denylist = DenyList(PackedBase.build(table), 1, 100)
    always = [Token(fingerprints={4: name(1999)}), Token(fingerprints={0: FAR, 4: FP, 6: OTHER})]
    never = Token(fingerprints={0: bytes(11), 4: b"\x7f" * 11, 6: b"\x80" * 11})
    denylist.apply([Row.for_block(FP, 4, NEVER), Row.for_block(name(1999), 4, 101)], 100)
    stop, wrong, answers = threading.Event(), list[str](), [0]

    def read() -> None:
        while not stop.is_set():
            for token in always:
                if denylist.refusal(token) is None:
                    wrong.append("missed")
                # Afresh each time, and with what is noted from before.
                if denylist.refusal(Token(fingerprints=token.fingerprints)) is None:
                    wrong.append("missed afresh")
            if denylist.refusal(never) is not None:
                wrong.append("refused")
            answers[0] += 5

    moves = [
        [Row.for_lift(FP, 4, Slot.BLOCK), Row.for_block(OTHER, 6, NEVER)],
        [Row.for_lift(OTHER, 6, Slot.BLOCK), Row.for_cutoff(FP, 4, 100, NEVER)],
        [Row.for_lift(FP, 4, Slot.CUTOFF), Row.for_block(FAR, 0, NEVER)],
        [Row.for_lift(FAR, 0, Slot.BLOCK), Row.for_block(FP, 4, 300), Row.for_block(name(1), 4, 300)],
    ]
    with often_switching(read, read):
        try:
            for turn in range(300):
                for move in moves:
                    denylist.apply(move, 100)
                begun = denylist.merge()
                if turn % 3 == 0:
                    adopt(denylist, begun)
                denylist.apply([Row.for_block(name(2000 + turn), 4, NEVER)], 100)
                if turn % 3 == 1:
                    adopt(denylist, begun)
        finally:
            stop.set()
    assert not wrong and answers[0] > 100
    assert denylist.pack() == packed(
        [Row.for_block(name(number), 4, NEVER) for number in range(2300)] + [Row.for_block(FP, 4, 300)]
    )


@contextmanager
def often_switching(*work: Callable[[], None]) -> Iterator[None]:
    """Threads that run while it is entered; each gives way after a few instructions."""
    threads, interval = [threading.Thread(target=each) for each in work], sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        yield
    finally:
        sys.setswitchinterval(interval)
        for thread in threads:
            thread.join(60)


# --- what is kept, and for how long


def test_a_marker_of_what_was_lifted_stays_until_a_base_is_younger() -> None:
    """A base of another process may yet come in which the row still stands."""
    denylist = DenyList()
    denylist.apply([Row.for_block(FP, 4, NEVER)], 1)
    theirs = PackedBase.build(denylist.pack())
    denylist.apply([Row.for_lift(FP, 4, Slot.BLOCK)], 1)
    denylist.adopt(theirs, 1, 1)
    for _ in range(3):
        denylist.apply([], 1)
    assert denylist.refusal(Token()) is None and denylist.pack() == b""


def test_what_only_repeats_the_base_is_forgotten_a_bounded_part_with_each_record() -> None:
    denylist = DenyList()
    count = 20_000
    denylist.apply([Row.for_block(name(number), 4, NEVER) for number in range(count)], 1)
    begun = denylist.merge()
    denylist.apply([Row.for_block(FP, 4, NEVER)], 1)
    adopt(denylist, begun)
    held = [len(denylist)]
    while len(denylist) > count + 1:
        denylist.apply([], 1)
        held.append(len(denylist))
    assert max(before - after for before, after in itertools.pairwise(held)) <= 1000
    assert denylist.refusal(Token()) and denylist.pack() == packed(
        [*(Row.for_block(name(number), 4, NEVER) for number in range(count)), Row.for_block(FP, 4, NEVER)]
    )


def test_a_merge_is_wanted_when_much_has_changed() -> None:
    denylist = DenyList()
    denylist.apply([Row.for_block(name(number), 4, NEVER) for number in range(32_768)], 1)
    assert not denylist.wants_merge
    denylist.apply([Row.for_block(FP, 4, NEVER)], 1)
    assert denylist.wants_merge
    merge(denylist)
    assert not denylist.wants_merge


def test_a_merge_is_wanted_when_much_of_the_base_has_expired() -> None:
    denylist = DenyList(PackedBase.build(table_of(1000, 500)), 1, 1)
    denylist.apply([], 499)
    assert not denylist.wants_merge
    denylist.apply([], 500)
    assert denylist.wants_merge
    merge(denylist)
    assert len(denylist) == 0 and not denylist.wants_merge


def test_a_merge_is_wanted_when_the_base_has_no_filter_yet() -> None:
    denylist = DenyList(PackedBase.build(table_of(1000), with_filter=False), 1, 1)
    assert denylist.wants_merge
    merge(denylist)
    assert not denylist.wants_merge and denylist.base.has_filter


def test_rows_that_expire_leave_with_the_next_merge() -> None:
    denylist = DenyList()
    for n in range(5000):
        denylist.apply([Row.for_block(n.to_bytes(11, "big"), 0, n + 10)], n)
        if n % 1000 == 999:
            merge(denylist)
            assert len(denylist) <= 10
