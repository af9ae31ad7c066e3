"""Requests in one record: the table, the answers and the names are those of the requests one by one."""

from hypothesis import given
from hypothesis import strategies as st

from revocast.issuer.authority.grouping import Group, Request, first_of, merge, rows_asked_for
from revocast.issuer.authority.log import changes
from revocast.issuer.authority.revocations import Lift, Part, Receipt, Revocation
from revocast.issuer.authority.terms import Terms
from revocast.issuer.errors import InvalidRequest, UnknownIssuer
from revocast.schemas.errors import ClaimUndeclared
from revocast.schemas.keyset import Lifetime
from revocast.schemas.record import MAX_ROWS, Position
from revocast.schemas.row import Key, Row, Slot
from revocast.schemas.selector import Selector
from revocast.schemas.table import Table

T = 1_800_000_000
ISSUER = "https://issuer.example"
TERMS = Terms(
    ISSUER,
    root="",
    salt=bytes(32),
    leeway=30,
    claims=("tenant",),
    lifetimes=(Lifetime(since=0, max_lifetime=3600),),
    announce_seconds=0,
    token_lifetime=600,
)
HEAD = Position(1, 7, bytes(32), T - 10)

SELECTORS = st.builds(
    Selector,
    st.just(ISSUER),
    st.sampled_from(("token", "subject", "claim:tenant")),
    st.sampled_from((("a",), ("b",))),
)
UNTIL = st.none() | st.integers(T - 5, T + 5) | st.just(T + 9000)
REVOCATIONS = st.builds(Revocation, SELECTORS, st.just(Slot.BLOCK), expires_at=UNTIL) | st.builds(
    Revocation, SELECTORS, st.just(Slot.CUTOFF), st.none() | st.integers(T - 5000, T + 1), UNTIL
)
LIFTS = st.builds(Lift, SELECTORS, st.sampled_from(Slot))
REQUESTS = st.builds(
    Request,
    st.lists(REVOCATIONS, max_size=3).map(tuple),
    st.lists(LIFTS, max_size=2).map(tuple),
    st.sampled_from(("alice", "bob")),
    st.sampled_from(("", "theft")),
)
HISTORIES = st.lists(st.lists(REVOCATIONS, max_size=4), max_size=3)


def block(value: str, **more: int) -> Revocation:
    return Revocation(Selector.subject(ISSUER, value), Slot.BLOCK, **more)


def request(*revocations: Revocation, lifts: tuple[Lift, ...] = (), actor: str = "alice") -> Request:
    return Request(revocations, lifts, actor, "")


def together(*requests: Request, held: dict[Key, Row] | None = None) -> Group:
    return merge(requests, rows_asked_for(requests, TERMS, T), HEAD, held or {}, T)


def written_before(history: list[list[Revocation]]) -> dict[Key, Row]:
    """What the database holds after earlier records: also rows that only the clock has ended since."""
    table = Table()
    for t, revocations in enumerate(history, start=T - 10):
        for row in (
            rows for rows in rows_asked_for([request(*revocations)], TERMS, t) if isinstance(rows, tuple)
        ):
            table.apply([entry.row for entry in row], t)
    return {row.key: row for row in table}


def one_by_one(
    requests: list[Request], held: dict[Key, Row]
) -> tuple[list[tuple[bool, int] | None], list[Row], Table]:
    """The writing rule for each of them, as if it had come alone: whether it changed anything and at which number of
    record; the rows of all records; the table."""
    table, answers, rows, n = Table(), list[tuple[bool, int] | None](), list[Row](), 0
    table.apply(held.values(), HEAD.t)
    for own in rows_asked_for(requests, TERMS, T):
        if isinstance(own, Exception):
            answers.append(None)
            continue
        mine = [entry.row for entry in own]
        changed = bool(changes(held, mine, T))
        if changed:
            n += 1
            rows += mine
            table.apply(mine, T)
            held = {row.key: row for row in table}
        answers.append((changed, n))
    return answers, rows, table


@given(HISTORIES, st.lists(REQUESTS, max_size=8))
def test_a_group_leaves_the_table_and_the_answers_of_its_requests_one_by_one(
    history: list[list[Revocation]], requests: list[Request]
) -> None:
    held = written_before(history)
    expected, rows, table = one_by_one(requests, held)
    group = together(*requests, held=held)
    assert [entry.row for entry in group.written] == rows
    grouped = Table()
    grouped.apply(held.values(), HEAD.t)
    if group.written:
        grouped.apply([entry.row for entry in group.written], group.t)
    assert grouped.pack() == table.pack()
    for answer, alone in zip(group.answers, expected, strict=True):
        if alone is None:
            assert isinstance(answer, Exception)
            continue
        assert isinstance(answer, Receipt)
        changed, n = alone
        assert answer.changed is changed
        assert answer.n == (HEAD.n + 1 if n else HEAD.n)  # one record for all that were written


@given(st.lists(REQUESTS, max_size=8))
def test_the_parts_of_a_record_say_who_asked_for_each_row(requests: list[Request]) -> None:
    group = together(*requests)
    asked = [(part.actor, part.reason) for part in group.parts for _ in range(part.rows)]
    theirs = [
        (each.actor, each.reason)
        for each, answer in zip(requests, group.answers, strict=True)
        if isinstance(answer, Receipt) and answer.changed
        for _ in answer.rows
    ]
    assert asked == theirs and len(asked) == len(group.written)


def test_what_is_wrong_with_a_request_is_its_own_answer() -> None:
    late = request(Revocation(Selector.subject(ISSUER, "x"), Slot.CUTOFF, cutoff=T + 1))
    foreign = request(Revocation(Selector.subject("https://other.example", "x"), Slot.BLOCK))
    undeclared = request(Revocation(Selector.claim(ISSUER, "device", "x"), Slot.BLOCK))
    group = together(request(block("a")), late, foreign, undeclared, request(block("b")))
    assert [type(answer) for answer in group.answers] == [
        Receipt,
        InvalidRequest,
        UnknownIssuer,
        ClaimUndeclared,
        Receipt,
    ]
    assert [entry.selector.values for entry in group.written] == [("a",), ("b",)]


def test_repeating_another_of_the_group_changes_nothing_and_stands_in_the_same_record() -> None:
    group = together(request(block("a")), request(block("a"), actor="bob"))
    first, second = group.answers
    assert isinstance(first, Receipt) and isinstance(second, Receipt)
    assert first.changed and not second.changed and first.n == second.n == HEAD.n + 1
    assert group.parts == (Part(1, "alice", ""),)


def test_a_group_that_changes_nothing_needs_no_record() -> None:
    held = {entry.row.key: entry.row for entry in together(request(block("a"))).written}
    group = together(request(block("a")), held=held)
    (answer,) = group.answers
    assert isinstance(answer, Receipt) and not answer.changed
    assert not group.written and (answer.n, answer.t) == (HEAD.n, HEAD.t)


def test_a_record_has_the_actor_of_its_parts_or_is_the_issuers_own() -> None:
    assert together(request(block("a")), request(block("b"))).author == ("alice", "")
    assert together(request(block("a")), request(block("b"), actor="bob")).author[0] == "issuer"


def test_as_many_requests_as_fit_one_record_are_taken_and_always_one() -> None:
    def of(rows: int) -> Request:
        return request(*(block("a") for _ in range(rows)))

    assert first_of([]) == 0
    assert first_of([of(MAX_ROWS), of(1)]) == 1
    assert first_of([of(MAX_ROWS - 2), of(1), of(1), of(1)]) == 3
    assert first_of([of(600), of(600), of(1)]) == 1  # nobody overtakes


def test_what_the_record_of_an_earlier_request_drops_a_later_one_cannot_lift() -> None:
    selector = Selector.subject(ISSUER, "a")
    name, code = TERMS.name(selector)
    dead = Row.for_block(name, code, T - 1)
    lift = request(lifts=(Lift(selector, Slot.BLOCK),))
    (alone,) = together(lift, held={dead.key: dead}).answers
    _, behind = together(request(block("b")), lift, held={dead.key: dead}).answers
    assert isinstance(alone, Receipt) and isinstance(behind, Receipt)
    assert alone.changed and not behind.changed
