"""One request, one transaction, at most one record; the table is the state at the head."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from revocast.issuer.authority.revocations import Lift, Receipt, Revocation
from revocast.issuer.errors import InvalidRequest, UnknownIssuer
from revocast.issuer.storage.publishing import sign_records
from revocast.schemas.errors import ClaimUndeclared
from revocast.schemas.events import Envelope
from revocast.schemas.record import Record
from revocast.schemas.row import NEVER, Slot
from revocast.schemas.selector import Selector
from tests.issuer.core.authority import ISSUER, Authority, T, model_of


def test_concurrent_writers_in_several_processes_leave_no_gap_and_no_fork(authority: Authority) -> None:
    services = [authority.service, authority.other()[0], authority.other()[0]]

    def write(number: int) -> Receipt:
        selector = Selector.token(ISSUER, f"jti-{number}")
        revocation = Revocation(selector, Slot.BLOCK)
        return services[number % 3].revoke([revocation], [], actor="alice", reason="")

    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(write, range(120)))
    entries = authority.service.log(0, 500)
    assert [entry.n for entry in entries] == list(range(1, len(entries) + 1))
    rows = {row: entry.n for entry in entries for row in entry.rows}
    assert rows == {receipt.rows[0].row: receipt.n for receipt in receipts} and len(rows) == 120
    for before, entry in itertools.pairwise(entries):
        assert entry.prev == before.hash and entry.t >= before.t
    assert authority.service.status().table == model_of(authority.service).pack()


@pytest.mark.parametrize("seed", range(6))
def test_after_any_history_the_table_is_the_readers_byte_for_byte(authority: Authority, seed: int) -> None:
    random = Random(seed)
    for _ in range(60):
        authority.clock.now += random.choice((0, 0, 1, 30, 2000))
        revocations, lifts = [], []
        for _ in range(random.randint(1, 4)):
            kind = random.choice(("token", "subject", "session", "claim:tenant"))
            selector = Selector(ISSUER, kind, (random.choice("abc"),))
            slot = random.choice(list(Slot))
            if random.random() < 0.3:
                lifts.append(Lift(selector, slot))
            else:
                cutoff = int(authority.clock()) - random.randint(0, 50) if slot is Slot.CUTOFF else None
                until = int(authority.clock()) + random.randint(1, 4000) if random.random() < 0.5 else None
                revocations.append(Revocation(selector, slot, cutoff, until))
        authority.revoke(*revocations, lifts=lifts)
        assert authority.service.status().table == model_of(authority.service).pack()


def test_a_request_that_changes_nothing_writes_no_record(authority: Authority) -> None:
    first = authority.block("subject", "mallory")
    again = authority.block("subject", "mallory")
    assert first.changed and not again.changed
    assert again.n == first.n == authority.service.status().n
    assert not authority.lift("subject", "nobody", slot=Slot.BLOCK).changed
    expired = Revocation(Selector.token(ISSUER, "old"), Slot.BLOCK, expires_at=T - 1)
    assert not authority.revoke(expired).changed


def test_a_dry_run_says_what_would_be_written_and_writes_nothing(authority: Authority) -> None:
    before = authority.service.status()
    revocation = Revocation(Selector.subject(ISSUER, "bob"), Slot.CUTOFF)
    receipt = authority.revoke(revocation, dry_run=True)
    assert receipt.dry_run and receipt.n == before.n + 1 and receipt.rows[0].row.cutoff == T
    assert authority.service.status() == before


def test_shortening_is_a_lift_then_a_revocation_in_one_record(authority: Authority) -> None:
    selector = Selector.subject(ISSUER, "bob")
    authority.revoke(Revocation(selector, Slot.BLOCK))
    authority.revoke(Revocation(selector, Slot.BLOCK, expires_at=T + 60), lifts=[Lift(selector, Slot.BLOCK)])
    (row,), _ = authority.service.list_revocations(kind="subject")
    assert row.row.expires_at == T + 60


def test_a_sign_out_does_not_unblock(authority: Authority) -> None:
    authority.block("subject", "bob")
    authority.cut("subject", "bob")
    rows, _ = authority.service.list_revocations(value="bob")
    assert {entry.row.slot for entry in rows} == {Slot.BLOCK, Slot.CUTOFF}
    authority.lift("subject", "bob", slot=Slot.CUTOFF)
    rows, _ = authority.service.list_revocations(value="bob")
    assert {entry.row.slot for entry in rows} == {Slot.BLOCK}


def test_each_kind_is_forgotten_when_its_last_token_is_dead_and_not_before(authority: Authority) -> None:
    lifetime, leeway = 3600, 30
    assert authority.block("token", "a").rows[0].row.expires_at == T + lifetime + leeway
    cut = authority.cut("subject", "a", cutoff=T - 100).rows[0].row
    assert (cut.cutoff, cut.expires_at) == (T - 100, T - 100 + lifetime + leeway)
    assert authority.cut("session", "a").rows[0].row.cutoff == T
    assert authority.block("subject", "a").rows[0].row.expires_at == NEVER
    early = Revocation(Selector.subject(ISSUER, "b"), Slot.CUTOFF, expires_at=T + 1)
    assert authority.revoke(early).rows[0].row.expires_at == T + lifetime + leeway


def test_time_never_goes_back_in_the_log(authority: Authority) -> None:
    first = authority.block("token", "a")
    authority.clock.now -= 500
    second = authority.block("token", "b")
    assert second.t == first.t


def test_what_cannot_be_written_is_refused_and_leaves_nothing(authority: Authority) -> None:
    before = authority.service.status()
    subject = Selector.subject(ISSUER, "bob")
    with pytest.raises(InvalidRequest, match="cutoff"):
        authority.revoke(Revocation(subject, Slot.CUTOFF, cutoff=T + 1))
    with pytest.raises(InvalidRequest, match="cutoff"):
        authority.revoke(Revocation(subject, Slot.BLOCK, cutoff=T))
    with pytest.raises(InvalidRequest, match="expires_at"):
        authority.revoke(Revocation(subject, Slot.BLOCK, expires_at=NEVER + 1))
    with pytest.raises(UnknownIssuer):
        authority.revoke(Revocation(Selector.subject("https://other.example", "bob"), Slot.BLOCK))
    with pytest.raises(ClaimUndeclared):
        authority.revoke(Revocation(Selector.claim(ISSUER, "device_id", "1"), Slot.BLOCK))
    with pytest.raises(InvalidRequest, match="rows"):
        authority.revoke()
    with pytest.raises(InvalidRequest, match="rows"):
        authority.revoke(*[Revocation(subject, Slot.BLOCK)] * 1001)
    with pytest.raises(InvalidRequest, match="values"):
        authority.revoke(Revocation(Selector.subject(ISSUER, "a\0b"), Slot.BLOCK))
    assert authority.service.status() == before


def test_a_record_carries_a_thousand_rows(authority: Authority) -> None:
    many = [Revocation(Selector.token(ISSUER, f"jti-{n}"), Slot.BLOCK) for n in range(1000)]
    receipt = authority.revoke(*many)
    assert len(receipt.rows) == 1000 and authority.service.status().table_rows == 1000
    assert authority.service.status().table == model_of(authority.service).pack()


def test_the_signed_bytes_say_what_the_log_says(authority: Authority) -> None:
    authority.block("token", "a")
    with authority.storage.write() as session:
        signed = sign_records(session, 1, 0, 10, authority.keystore)
    for stored, entry in zip(signed, authority.service.log(0, 10), strict=True):
        envelope = Envelope.parse(stored.compact)
        record = Record.from_event(envelope.event())
        assert envelope.hash == entry.hash == stored.hash
        assert (record.n, record.prev, record.t, record.rows) == (entry.n, entry.prev, entry.t, entry.rows)
    assert [entry.compact for entry in authority.service.log(0, 10)] == [item.compact for item in signed]


def test_a_finite_block_that_ran_out_is_let_go_on_a_quiet_log(authority: Authority) -> None:
    authority.block("subject", "bob", expires_at=T + 10)
    authority.block("token", "a", expires_at=T + 10)
    authority.cut("subject", "bob")
    assert authority.desk.let_go() is None
    authority.clock.now = T + 10
    receipt = authority.desk.let_go()
    assert receipt is not None and receipt.rows == () and receipt.t == T + 10
    assert authority.service.status().table_rows == 1
    assert authority.service.status().table == model_of(authority.service).pack()
    assert authority.desk.let_go() is None


def test_a_dead_row_of_one_token_or_of_a_cutoff_needs_no_record(authority: Authority) -> None:
    authority.block("token", "a")
    authority.block("token_hash", "b")
    authority.cut("subject", "bob")
    authority.clock.now += 10_000
    assert authority.desk.let_go() is None
    assert authority.service.list_revocations() == ([], None)
    assert len(authority.service.list_revocations(live_only=False)[0]) == 3


def test_the_list_comes_in_pages_without_loss_or_repetition(authority: Authority) -> None:
    for number in range(7):
        authority.revoke(
            Revocation(Selector.subject(ISSUER, f"user-{number}"), Slot.BLOCK),
            Revocation(Selector.subject(ISSUER, f"user-{number}"), Slot.CUTOFF),
            Revocation(Selector.subject_client(ISSUER, f"user-{number}", "app"), Slot.BLOCK),
        )
    seen, cursor = [], None
    while True:
        page, cursor = authority.service.list_revocations(limit=4, after=cursor)
        seen += [(entry.n, entry.row.key) for entry in page]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 21
    assert [n for n, _ in seen] == sorted((n for n, _ in seen), reverse=True)
    of_app, _ = authority.service.list_revocations(value="app")
    assert {entry.selector.kind for entry in of_app} == {"subject+client"} and len(of_app) == 7
    with pytest.raises(InvalidRequest, match="after"):
        authority.service.list_revocations(after="x")
