"""Writers that come together share a transaction and a record; each has its own answer."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from revocast.issuer.authority.revocations import Receipt, Revocation
from revocast.issuer.errors import InvalidRequest, StorageUnavailable, UnknownIssuer
from revocast.issuer.group_commit import GroupCommit
from revocast.schemas.row import Slot
from revocast.schemas.selector import Selector
from tests.issuer.core.authority import ISSUER, Authority, model_of

DEADLINE_S = 20


class Writer:
    """A transaction that the test holds open: it notes its groups and answers what the test says."""

    def __init__(self, fitting: Callable[[Iterable[str]], int] = lambda waiting: len(list(waiting))) -> None:
        self.groups: list[list[str]] = []
        self.open = threading.Event()
        self.failing: Callable[[Sequence[str]], Exception | None] = lambda _group: None
        self.commit = GroupCommit[str, str](self._write, fitting)
        self._pool = ThreadPoolExecutor(16)
        self._entered = threading.Semaphore(0)

    def submit(self, name: str) -> "Future[str]":
        return self._pool.submit(self.commit.submit, name)

    def running(self) -> None:
        """Returns once a transaction has begun."""
        assert self._entered.acquire(timeout=DEADLINE_S)

    def waiting(self, names: Sequence[str]) -> "list[Future[str]]":
        """Come one after the other while a transaction runs."""
        came = []
        for count, name in enumerate(names, start=1):
            came.append(self.submit(name))
            until(lambda count=count: len(self.commit._waiting) == count)  # type: ignore[misc]
        return came

    def close(self) -> None:
        self.open.set()
        self._pool.shutdown()

    def _write(self, requests: Sequence[str]) -> Sequence[str | Exception]:
        self.groups.append(list(requests))
        self._entered.release()
        assert self.open.wait(DEADLINE_S)
        if error := self.failing(requests):
            raise error
        return [InvalidRequest(name) if name.startswith("bad") else name.upper() for name in requests]


def until(true: Callable[[], bool]) -> None:
    passed = threading.Event()
    for _ in range(DEADLINE_S * 1000):
        if true():
            return
        passed.wait(0.001)
    raise AssertionError("the condition never came")


@pytest.fixture
def writer() -> Iterator[Writer]:
    writer = Writer()
    yield writer
    writer.close()


def test_a_lone_one_goes_at_once(writer: Writer) -> None:
    writer.open.set()
    assert writer.submit("a").result(DEADLINE_S) == "A"
    assert writer.submit("b").result(DEADLINE_S) == "B"
    assert writer.groups == [["a"], ["b"]]


def test_who_comes_while_a_transaction_runs_is_taken_by_the_next_in_the_order_of_arrival(
    writer: Writer,
) -> None:
    first = writer.submit("first")
    writer.running()
    came = writer.waiting(["c", "a", "bad", "b"])
    writer.open.set()
    assert first.result(DEADLINE_S) == "FIRST"
    assert [came[0].result(DEADLINE_S), came[1].result(DEADLINE_S), came[3].result(DEADLINE_S)] == [
        "C",
        "A",
        "B",
    ]
    with pytest.raises(InvalidRequest, match="bad"):
        came[2].result(DEADLINE_S)
    assert writer.groups == [["first"], ["c", "a", "bad", "b"]]


def test_what_does_not_fit_is_taken_by_the_transaction_after() -> None:
    writer = Writer(lambda waiting: min(2, len(list(waiting))))
    first = writer.submit("first")
    writer.running()
    came = writer.waiting(["a", "b", "c", "d", "e"])
    writer.open.set()
    assert [each.result(DEADLINE_S) for each in (first, *came)] == ["FIRST", "A", "B", "C", "D", "E"]
    assert writer.groups == [["first"], ["a", "b"], ["c", "d"], ["e"]]
    writer.close()


def test_a_failed_transaction_fails_all_its_members_and_nobody_else(writer: Writer) -> None:
    first = writer.submit("first")
    writer.running()
    came = writer.waiting(["a", "b"])
    writer.failing = lambda group: StorageUnavailable("away") if "a" in group else None
    writer.open.set()
    assert first.result(DEADLINE_S) == "FIRST"
    for each in came:
        with pytest.raises(StorageUnavailable, match="away"):
            each.result(DEADLINE_S)
    assert writer.submit("later").result(DEADLINE_S) == "LATER"
    assert writer.groups == [["first"], ["a", "b"], ["later"]]


def test_one_that_breaks_the_transaction_fails_alone(writer: Writer) -> None:
    first = writer.submit("first")
    writer.running()
    came = writer.waiting(["a", "poison", "b"])
    writer.failing = lambda group: ValueError("poison") if "poison" in group else None
    writer.open.set()
    assert first.result(DEADLINE_S) == "FIRST"
    assert [came[0].result(DEADLINE_S), came[2].result(DEADLINE_S)] == ["A", "B"]
    with pytest.raises(ValueError, match="poison"):
        came[1].result(DEADLINE_S)
    assert writer.submit("later").result(DEADLINE_S) == "LATER"


def test_a_group_that_cannot_be_made_up_leaves_nobody_waiting() -> None:
    def fitting(waiting: Iterable[str]) -> int:
        names = list(waiting)
        if "poison" in names:
            raise ValueError("poison")
        return 99 if "greedy" in names else len(names)

    writer = Writer(fitting)
    first = writer.submit("first")
    writer.running()
    came = writer.waiting(["a", "poison", "b", "greedy", "c"])
    writer.open.set()
    assert first.result(DEADLINE_S) == "FIRST"
    for each in came[:2]:
        with pytest.raises(ValueError, match="poison"):
            each.result(DEADLINE_S)
    for each in came[2:]:
        with pytest.raises(IndexError):
            each.result(DEADLINE_S)
    assert writer.submit("later").result(DEADLINE_S) == "LATER"
    writer.close()


def test_a_transaction_that_answers_too_few_leaves_nobody_waiting() -> None:
    running, ended = threading.Event(), threading.Event()

    def write(group: Sequence[str]) -> Sequence[str | Exception]:
        running.set()
        assert ended.wait(DEADLINE_S)
        return group[:1]

    commit = GroupCommit[str, str](write, lambda waiting: len(list(waiting)))
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(commit.submit, "first")
        assert running.wait(DEADLINE_S)
        came = []
        for count, name in enumerate(["a", "b"], start=1):
            came.append(pool.submit(commit.submit, name))
            until(lambda count=count: len(commit._waiting) == count)  # type: ignore[misc]
        ended.set()
        assert [first.result(DEADLINE_S), came[0].result(DEADLINE_S)] == ["first", "a"]
        with pytest.raises(ValueError, match="shorter"):
            came[1].result(DEADLINE_S)
        assert pool.submit(commit.submit, "later").result(DEADLINE_S) == "later"


@contextmanager
def writing_held(authority: Authority) -> Iterator[None]:
    """No revocation can be committed in here."""
    with authority.storage.write() as session:
        if authority.storage.is_postgresql:
            session.execute(text("SELECT * FROM head FOR UPDATE"))
        yield


def together(authority: Authority, *asked: tuple[str, Revocation]) -> "list[Receipt | BaseException]":
    """The answers to revocations of these actors, the first one alone and the others in one group behind it."""
    desk = authority.service._desk
    with ThreadPoolExecutor(len(asked)) as pool:

        def submit(actor: str, revocation: Revocation) -> "Future[Receipt]":
            return pool.submit(authority.service.revoke, [revocation], [], actor=actor, reason=f"of {actor}")

        with writing_held(authority):
            futures = [submit(*asked[0])]
            until(lambda: desk._groups._running and not desk._groups._waiting)
            for count, each in enumerate(asked[1:], start=1):
                futures.append(submit(*each))
                until(lambda count=count: len(desk._groups._waiting) == count)  # type: ignore[misc]
        return [future.exception(DEADLINE_S) or future.result() for future in futures]


def block(value: str, issuer: str = ISSUER) -> Revocation:
    return Revocation(Selector.subject(issuer, value), Slot.BLOCK)


def test_requests_that_come_together_share_a_record_and_keep_their_actor_reason_receipt_and_errors(
    authority: Authority,
) -> None:
    answers = together(
        authority,
        ("first", block("zoe")),
        ("alice", block("x")),
        ("bob", block("y")),
        ("eve", block("z", "https://other.example")),
        ("carol", block("x")),
    )
    receipts = [answer for answer in answers if isinstance(answer, Receipt)]
    assert [(receipt.n, receipt.changed) for receipt in receipts] == [
        (2, True),
        (3, True),
        (3, True),
        (3, False),
    ]
    assert isinstance(answers[3], UnknownIssuer)
    entry = authority.service.log(2)[0]
    assert entry.actor == "issuer"
    assert [(part.rows, part.actor, part.reason) for part in entry.parts] == [
        (1, "alice", "of alice"),
        (1, "bob", "of bob"),
    ]
    rows, _ = authority.service.list_revocations()
    assert {(row.selector.values, row.n, row.actor, row.reason) for row in rows} == {
        (("zoe",), 2, "first", "of first"),
        (("x",), 3, "alice", "of alice"),
        (("y",), 3, "bob", "of bob"),
    }
    audited = [event.data for event in authority.audited("revocast.revoked")]
    assert [(data["actor"], data["n"], data["changed"]) for data in audited] == [
        ("first", 2, True),
        ("alice", 3, True),
        ("bob", 3, True),
        ("carol", 3, False),
    ]
    assert authority.service.status().table == model_of(authority.service).pack()


def test_of_two_that_name_the_same_in_opposite_order_none_deadlocks(authority: Authority) -> None:
    services = [authority.service, authority.other()[0]]
    names = [f"user-{number}" for number in range(12)]

    def write(number: int) -> Receipt:
        order = names if number % 2 else names[::-1]
        revocations = [Revocation(Selector.subject(ISSUER, name), Slot.CUTOFF) for name in order]
        authority.clock.now += 1
        return services[number % 2].revoke(revocations, [], actor="alice", reason="")

    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(write, range(40)))) == 40
    assert authority.service.status().table == model_of(authority.service).pack()
