from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from revocast.schemas.row import NEVER, Row, Slot
from revocast.schemas.table import Table
from revocast.sdk.denylist import Absent, DenyList, Refusal
from revocast.sdk.packed import PackedBase

FP = b"fingerprint"
OTHER = b"fingerprins"


def merge(denylist: DenyList) -> None:
    begun = denylist.merge()
    rows = b"".join(begun)
    denylist.adopt(PackedBase.open(rows, begun.index_bytes), begun.n, begun.t)


@dataclass
class Token:
    issued_at: int = 100
    fingerprints: dict[int, bytes] = field(default_factory=lambda: {4: FP})
    asked: list[int] = field(default_factory=list)
    absent: Absent | None = None

    def fingerprint(self, kind: int) -> bytes | None:
        self.asked.append(kind)
        return self.fingerprints.get(kind)


rows = st.builds(
    lambda fp, kind, slot, lift, cutoff, expires: (
        Row.for_lift(fp, kind, slot)
        if lift
        else Row.for_block(fp, kind, expires)
        if slot
        else Row.for_cutoff(fp, kind, cutoff, expires)
    ),
    st.sampled_from([FP, OTHER]),
    st.sampled_from([0, 4, 6, 32]),
    st.sampled_from(Slot),
    st.booleans(),
    st.integers(0, 300),
    st.integers(1, 300) | st.just(NEVER),
)


@given(st.lists(st.tuples(st.lists(rows, max_size=4), st.integers(0, 20)), max_size=30), st.integers(0, 30))
def test_it_holds_the_same_bytes_and_gives_the_same_answers_as_the_table(
    records: list[tuple[list[Row], int]], merge_at: int
) -> None:
    table, denylist, t = Table(), DenyList(), 0
    for index, (part, seconds) in enumerate(records):
        t += seconds
        table.apply(part, t)
        denylist.apply(part, t)
        if index == merge_at:
            merge(denylist)
        assert denylist.pack() == table.pack()
        for fp in (FP, OTHER):
            for kind in (0, 4, 6, 32):
                for iat in (0, 150, 400):
                    block, cut = table.get(fp, kind, Slot.BLOCK), table.get(fp, kind, Slot.CUTOFF)
                    expected = (
                        Refusal(kind, Slot.BLOCK)
                        if block
                        else Refusal(kind, Slot.CUTOFF)
                        if cut and iat <= cut.cutoff
                        else None
                    )
                    assert denylist.refusal(Token(iat, {kind: fp})) == expected
    merge(denylist)
    assert len(denylist) == len(table)


def test_a_cutoff_refuses_what_was_issued_in_its_second_and_before() -> None:
    denylist = DenyList()
    denylist.apply([Row.for_cutoff(FP, 4, 100, 1000)], 100)
    assert denylist.refusal(Token(100)) == Refusal(4, Slot.CUTOFF)
    assert denylist.refusal(Token(101)) is None


def test_a_sign_out_does_not_unblock() -> None:
    denylist = DenyList()
    denylist.apply([Row.for_block(FP, 4, NEVER)], 100)
    denylist.apply([Row.for_cutoff(FP, 4, 100, 1000)], 100)
    assert denylist.refusal(Token(101)) == Refusal(4, Slot.BLOCK)
    denylist.apply([Row.for_lift(FP, 4, Slot.BLOCK)], 100)
    assert denylist.refusal(Token(101)) is None
    assert denylist.refusal(Token(100)) == Refusal(4, Slot.CUTOFF)


def test_kinds_without_a_live_row_are_not_looked_up() -> None:
    denylist, token = DenyList(), Token()
    denylist.apply([Row.for_block(OTHER, 4, 200)], 100)
    denylist.refusal(token)
    assert token.asked == [4]
    denylist.apply([], 200)
    merge(denylist)
    token.asked.clear()
    denylist.refusal(token)
    assert token.asked == []


def test_nobody_sees_the_middle_of_a_record() -> None:
    denylist, seen = DenyList(), []

    def shortened() -> Iterator[Row]:
        yield Row.for_lift(FP, 4, Slot.BLOCK)
        seen.append(denylist.refusal(Token()))
        yield Row.for_block(FP, 4, 500)

    denylist.apply([Row.for_block(FP, 4, NEVER)], 100)
    denylist.apply(shortened(), 100)
    assert seen == [Refusal(4, Slot.BLOCK)]
    assert denylist.refusal(Token()) == Refusal(4, Slot.BLOCK)
