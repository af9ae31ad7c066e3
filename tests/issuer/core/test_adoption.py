"""Delegation lists that the issuer adopts, and those that it refuses, each by name."""

from collections.abc import Callable
from typing import Any

import pytest

from revocast.issuer.authority.lifecycle import KeyState
from revocast.issuer.errors import Conflict, InvalidRequest, NoSigningKey
from revocast.issuer.publication import Publication
from revocast.issuer.storage.outbox import oldest_events
from revocast.issuer.storage.publishing import is_enforced, mark_published, sign_records
from revocast.schemas.audit import AuditEvent, AuditType
from revocast.schemas.chain import Chain, Flaw
from revocast.schemas.delegations import Bound, Delegate, DelegationList, Role
from revocast.schemas.jose import PrivateKey
from revocast.schemas.table import Table
from revocast.schemas.trust import Trust
from revocast.schemas.verdict import Outcome
from tests.issuer.core.authority import ISSUER, ORDERS, Authority, T
from tests.issuer.core.root_holder import DAYS, RootHolder


@pytest.fixture
def holder(authority: Authority) -> RootHolder:
    """The holder of the authority's root."""
    return RootHolder(authority)


class LateReader:
    """Pins the first root, reads every document and then the log of the epoch in force."""

    def __init__(self, authority: Authority, pin: str) -> None:
        trust = Trust(ISSUER, pin)
        for compact in (authority.service.delegations(), authority.service.key_set()):
            assert trust.receive(compact, 0)[0].outcome is Outcome.APPLIED
        self.chain, self.table, self.kids = Chain(trust), Table(), list[str]()
        epoch = authority.service.status().epoch
        with authority.storage.write() as session:
            values = [stored.compact for stored in sign_records(session, epoch, 0, 1000, authority.keystore)]
        for offset, value in enumerate(values):
            (verdict,) = self.chain.receive(value, 0, offset)
            assert verdict.record is not None, verdict
            self.table.apply(verdict.record.rows, verdict.record.t)


def test_a_new_event_key_signs_once_it_is_delegated_and_the_old_one_retires_at_its_last_record(
    authority: Authority, holder: RootHolder
) -> None:
    old, pin = holder.active, authority.terms.root
    pending = holder.new_key()
    kid = str(pending[0]["kid"])
    assert (holder.state(kid), holder.active) == ("pending", old)
    receipt = authority.block_one_more()
    adopted = holder.adopt(holder.in_force.delegated([pending], holder.now, DAYS))
    assert (adopted.version, adopted.epoch, adopted.active) == (2, 1, kid)
    assert (holder.state(old), holder.state(kid)) == ("retired", "active")
    assert holder.last(old) == Bound(epoch=1, n=receipt.n), "the record that names the list is the new key's"
    authority.block_one_more()
    holder.retire(old)
    assert holder.state(old) == "retired"
    reader = LateReader(authority, pin)
    assert reader.chain.flaws == () and reader.table.pack() == authority.service.status().table
    assert not reader.chain.trust.covers_record(old, 1, receipt.n + 1)


def test_a_compromised_key_is_dropped_with_its_epoch_and_the_live_set_is_issued_anew(
    authority: Authority, holder: RootHolder
) -> None:
    stolen, pin = holder.active, authority.terms.root
    authority.block("subject", "bob")
    authority.cut("subject", "carol")
    authority.lift("subject", "bob", slot=authority.block("subject", "bob").rows[0].row.slot)
    before = authority.service.status()
    rows = authority.service.list_revocations()[0]
    adopted = holder.adopt(holder.compromised(stolen))
    assert (adopted.version, adopted.epoch) == (2, 2) and adopted.active != stolen
    assert holder.state(stolen) == "compromised"
    now = authority.service.status()
    assert (now.epoch, now.n, now.table) == (2, 1, before.table)
    assert authority.service.list_revocations()[0] == rows, "who revoked what, when and why is what it was"
    assert not authority.service.trust().reissuing
    reader = LateReader(authority, pin)
    assert reader.chain.flaws == () and reader.table.pack() == before.table
    authority.block("subject", "dave")
    assert authority.service.list_revocations()[0][1:] == rows, "the newest first, across epochs"


def test_an_epoch_may_be_opened_without_dropping_a_key(authority: Authority, holder: RootHolder) -> None:
    authority.block_one_more()
    kid, table = holder.active, authority.service.status().table
    adopted = holder.adopt(holder.new_epoch())
    assert (adopted.epoch, adopted.active) == (2, kid)
    assert LateReader(authority, authority.terms.root).table.pack() == table


def test_a_reader_that_pinned_the_first_root_follows_the_issuer_through_three_of_them(
    authority: Authority, holder: RootHolder
) -> None:
    first = authority.terms.root
    for _ in range(3):
        successor = PrivateKey.generate()
        roots = holder.in_force.listed.roots.handed_over(holder.root, successor.public, ISSUER)
        listed = holder.in_force.rooted(roots, holder.now, DAYS)
        old, holder.root = holder.root, successor
        holder.adopt(listed)
        assert authority.service.trust().root == successor.kid
        with pytest.raises(InvalidRequest, match="root"):
            authority.service.adopt(
                holder.in_force.renewed(holder.now).signed(ISSUER, old), actor="a thief with the old root"
            )
    assert LateReader(authority, first).chain.flaws == ()


def test_a_distrusted_token_key_is_revoked_in_the_same_transaction(
    authority: Authority, holder: RootHolder
) -> None:
    client = authority.client()
    token = authority.service.mint(client, ORDERS).token
    (key,) = authority.service.keys()
    authority.clock.now += 1
    holder.adopt(holder.in_force.distrusting([key.kid], holder.now, DAYS, issuer=False))
    successor, revoked = authority.service.keys()
    assert (revoked.kid, revoked.state) == (key.kid, KeyState.REVOKED)
    with pytest.raises(NoSigningKey):
        authority.service.mint(client, ORDERS)
    explanation = authority.service.explain(token)
    assert (explanation.answer, explanation.reason) == ("refused", "key_revoked")
    assert any(finding.refused_by for finding in explanation.findings), "its block is on the log"
    assert any(key.kid in warning for warning in authority.service.status().warnings)
    authority.announce_all()
    authority.clock.now += 1
    authority.key_desk.advance()
    minted = authority.service.mint(client, ORDERS).token
    assert authority.service.verify(minted, ORDERS) and authority.service.keys()[0].kid == successor.kid


def test_while_the_root_distrusts_the_issuer_no_token_is_minted_or_accepted(
    authority: Authority, holder: RootHolder
) -> None:
    client = authority.client()
    token = authority.service.mint(client, ORDERS).token
    holder.adopt(holder.in_force.distrusting([], holder.now, DAYS, issuer=True))
    with pytest.raises(NoSigningKey, match="the root distrusts this issuer"):
        authority.service.mint(client, ORDERS)
    with pytest.raises(NoSigningKey, match="the root distrusts this issuer"):
        authority.service.check_ready()
    assert authority.service.explain(token).reason == "issuer_distrusted"
    assert "distrusts this issuer" in authority.service.status().warnings[0]
    holder.adopt(holder.in_force.trusting_again([], holder.now, DAYS, issuer=True))
    assert authority.service.verify(authority.service.mint(client, ORDERS).token, ORDERS)


def test_what_the_root_decided_is_audited(authority: Authority, holder: RootHolder) -> None:
    holder.adopt(holder.compromised(holder.active))
    with authority.storage.read() as session:
        events = [AuditEvent.model_validate_json(row.event) for row in oldest_events(session, 100)]
    founding, later = events[:3], events[3:]
    changed = [AuditType.DELEGATIONS_CHANGED, AuditType.EPOCH_OPENED, AuditType.LIVE_SET_REISSUED]
    assert [event.type for event in founding] == changed
    assert [event.type for event in later] == [AuditType.EVENT_KEY_MADE, *changed]
    assert (later[1].data["version"], later[1].data["actor"]) == (2, "alice")


def test_a_list_near_its_end_is_warned_about_and_a_new_one_ends_the_warning(
    authority: Authority, holder: RootHolder
) -> None:
    authority.clock.now += (DAYS - 60) * 86400 - 1
    assert authority.service.warnings() == []
    authority.clock.now += 86400
    (warning,) = authority.service.warnings()
    assert "expires in 59 days" in warning
    holder.adopt(holder.in_force.renewed(holder.now))
    assert authority.service.warnings() == []


# -- refusals --------------------------------------------------------------------------------------------------------


def changed(listed: DelegationList, **fields: Any) -> DelegationList:
    return listed.model_copy(update=fields)


def other_key(_: RootHolder) -> Delegate:
    return Delegate(jwk=dict(PrivateKey.generate().public.jwk), role=Role.EVENT)


def same_again(holder: RootHolder) -> bytes:
    return holder.authority.service.delegations()


def another_one_of_the_same_version(holder: RootHolder) -> bytes:
    return holder.signed(changed(holder.in_force.listed, expires_at=T + 5000))


def signed_by_a_stranger(holder: RootHolder) -> bytes:
    return holder.in_force.renewed(T).signed(ISSUER, PrivateKey.generate())


def of_another_root(holder: RootHolder) -> bytes:
    return holder.in_force.renewed(T).signed("https://other.example", holder.root)


def expired(holder: RootHolder) -> bytes:
    compact = holder.signed(holder.in_force.renewed(T, 1))
    holder.authority.clock.now += 86400
    return compact


def key_set(holder: RootHolder) -> bytes:
    return holder.authority.service.key_set()


def without_a_key_that_signs_here(holder: RootHolder) -> bytes:
    holder.new_key()
    bound = Bound(epoch=1, n=1)
    kept = tuple(key.model_copy(update={"bound": bound}) for key in holder.in_force.listed.keys)
    return holder.signed(changed(holder.in_force.renewed(T), keys=(*kept, other_key(holder))))


def bound_below_the_last_record(holder: RootHolder) -> bytes:
    old = holder.active
    holder.authority.block_one_more()
    holder.delegate()
    return holder.signed(holder.in_force.retired(old, Bound(epoch=1, n=1), T, DAYS))


def without_a_key_of_this_epoch(holder: RootHolder) -> bytes:
    old = holder.active
    holder.delegate()
    left = tuple(key for key in holder.in_force.listed.keys if key.public.kid != old)
    return holder.signed(changed(holder.in_force.renewed(T), keys=left))


def beyond_the_next_epoch(holder: RootHolder) -> bytes:
    return holder.signed(changed(holder.new_epoch(), epoch=3))


def back_in_epochs(holder: RootHolder) -> bytes:
    holder.adopt(holder.new_epoch())
    return holder.signed(changed(holder.in_force.renewed(T), epoch=1))


def opened_by_another_list(holder: RootHolder) -> bytes:
    return holder.signed(changed(holder.in_force.renewed(T), opened_by=bytes(32)))


@pytest.mark.parametrize("database", [None])
@pytest.mark.parametrize(
    ("made", "error", "named"),
    [
        (same_again, Conflict, "not newer than the list in force, which is version 1"),
        (another_one_of_the_same_version, InvalidRequest, "a second list of the version in force"),
        (signed_by_a_stranger, InvalidRequest, "not signed by its last root"),
        (of_another_root, InvalidRequest, "not this deployment's issuer"),
        (expired, InvalidRequest, "expired"),
        (key_set, InvalidRequest, "not a delegation list"),
        (without_a_key_that_signs_here, Conflict, r"delegates no event key .* pending: [\w-]{43}"),
        (bound_below_the_last_record, Conflict, r"the bound of [\w-]{43} is below 1/2"),
        (without_a_key_of_this_epoch, Conflict, r"leaves out [\w-]{43}"),
        (beyond_the_next_epoch, Conflict, "epoch 3"),
        (back_in_epochs, InvalidRequest, "goes back in epoch"),
        (opened_by_another_list, InvalidRequest, "opened_by"),
        (lambda _: b"junk", InvalidRequest, "list"),
    ],
)
def test_a_list_that_cannot_be_in_force_is_refused_and_changes_nothing(
    authority: Authority,
    holder: RootHolder,
    made: Callable[[RootHolder], bytes],
    error: type[Exception],
    named: str,
) -> None:
    compact = made(holder)
    before = (authority.service.trust(), authority.service.status(), authority.service.key_set())
    with pytest.raises(error, match=named):
        authority.service.adopt(compact, actor="alice")
    assert (authority.service.trust(), authority.service.status(), authority.service.key_set()) == before


def test_revocations_written_before_and_after_a_new_epoch_are_published_only_with_its_live_set(
    authority: Authority, holder: RootHolder
) -> None:
    """What another process answers from the database."""
    old = authority.block_one_more()

    def enforced(epoch: int, n: int) -> bool:
        with authority.storage.read() as session:
            return is_enforced(session, epoch, n)

    def kafka_has(epoch: int, n: int) -> None:
        with authority.storage.write() as session:
            mark_published(session, epoch, n, 0, 0)

    kafka_has(1, old.n)
    assert enforced(1, old.n) and not enforced(1, old.n + 1)
    holder.adopt(holder.compromised(holder.active))
    new = authority.block_one_more()
    assert not enforced(1, old.n), "until the new live set is there, nobody can tell"
    kafka_has(2, 0)
    assert not enforced(1, old.n)
    kafka_has(2, 1)
    assert enforced(1, old.n) and enforced(1, 99) and not enforced(new.epoch, new.n)
    kafka_has(2, new.n)
    assert enforced(new.epoch, new.n)


def test_no_waiter_is_woken_by_a_record_of_an_epoch_that_is_not_closed() -> None:
    publication = Publication()
    publication.acknowledged(1, 5)
    assert publication.covers(1, 5) and not publication.covers(1, 6) and not publication.covers(2, 1)
    publication.acknowledged(2, 3)
    assert publication.covers(1, 6) and publication.covers(2, 1)


def test_a_reader_is_incomplete_from_the_list_to_the_closing_record(
    authority: Authority, holder: RootHolder
) -> None:
    reader = LateReader(authority, authority.terms.root)
    holder.adopt(holder.compromised(holder.active))
    reader.chain.trust.receive(authority.service.delegations(), 1)
    reader.chain.trust.receive(authority.service.key_set(), 2)
    assert reader.chain.flaws == (Flaw.EPOCH,)
    with authority.storage.write() as session:
        (closing,) = sign_records(session, 2, 0, 10, authority.keystore)
    reader.chain.receive(closing.compact, 0, 2)
    assert reader.chain.flaws == ()


def test_pending_event_keys_are_bounded_and_each_of_them_can_still_be_delegated(authority: Authority) -> None:
    holder = RootHolder(authority)
    keys = [holder.new_key() for _ in range(16)]
    with pytest.raises(Conflict, match="16 are pending"):
        holder.new_key()
    holder.adopt(holder.in_force.delegated([keys[3]], holder.now, DAYS))
    assert holder.active == keys[3][0]["kid"]
    assert holder.new_key()
