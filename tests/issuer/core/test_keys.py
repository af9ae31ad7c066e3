"""A token key's life: announced, active, retiring, retired; revoked from any of them."""

from collections.abc import Callable

import pytest

from revocast.issuer.authority.lifecycle import KeyState, Step
from revocast.issuer.errors import Conflict, InvalidRequest, NoSigningKey, NotFound
from revocast.issuer.storage.publishing import sign_records
from revocast.schemas.events import Envelope
from revocast.schemas.keyset import KeySet
from revocast.schemas.record import Record
from revocast.schemas.trust import Trust
from revocast.schemas.verdict import Outcome
from tests.issuer.core.authority import ISSUER, Authority, T, model_of

LAST_TOKEN = 3630


def states(authority: Authority) -> list[KeyState]:
    keys = authority.service.keys()
    return [key.state for key in keys]


def key_set(authority: Authority) -> KeySet:
    return KeySet.from_event(Envelope.parse(authority.service.key_set()).event())


def test_a_rotation_announces_waits_signs_and_retires(authority: Authority) -> None:
    first = authority.service.keys()[0]
    authority.clock.now += 1
    new = authority.service.rotate_key("EdDSA", actor="alice")
    assert (new.state, new.alg) == (KeyState.ANNOUNCED, "EdDSA")
    with pytest.raises(Conflict):
        authority.service.rotate_key(actor="alice")
    authority.clock.now += 1000
    assert authority.key_desk.advance() == [], "Kafka has not acknowledged it: no service can know it"
    authority.announce_all()
    authority.clock.now += 59
    assert authority.key_desk.advance() == []
    authority.clock.now += 1
    assert authority.key_desk.advance() == [(first.kid, Step.SUPERSEDE), (new.kid, Step.ACTIVATE)]
    assert states(authority) == [KeyState.ACTIVE, KeyState.RETIRING]
    assert {key["kid"] for key in authority.service.jwks()["keys"]} == {first.kid, new.kid}
    authority.clock.now += LAST_TOKEN
    assert authority.key_desk.advance() == [(first.kid, Step.LAPSE)]
    assert states(authority) == [KeyState.ACTIVE, KeyState.RETIRED]
    own = key_set(authority).of(ISSUER)
    assert own is not None and [entry.public.kid for entry in own.keys] == [new.kid]


def test_readers_follow_every_key_set_in_order(authority: Authority) -> None:
    trust = Trust(ISSUER, authority.terms.root)
    assert trust.receive(authority.service.delegations(), 0)[0].outcome is Outcome.APPLIED
    for offset in range(4):
        assert trust.receive(authority.service.key_set(), offset)[0].outcome is Outcome.APPLIED
        authority.announce_all()
        authority.clock.now += 100
        if not authority.key_desk.advance():
            authority.service.rotate_key(actor="alice")
    assert trust.key_set is not None and trust.key_set.salt == authority.terms.salt


def test_a_token_survives_the_rotation_of_its_key(authority: Authority) -> None:
    client = authority.client()
    old = authority.service.mint(client, "https://orders.example")
    authority.service.rotate_key(actor="alice")
    authority.announce_all()
    authority.clock.now += 60
    authority.key_desk.advance()
    new = authority.service.mint(client, "https://orders.example")
    assert authority.service.explain(old.token).answer == "accepted"
    assert authority.service.explain(new.token).answer == "accepted"


def test_a_compromised_key_takes_all_it_signed_with_it_and_its_successor_signs_once_announced(
    authority: Authority,
) -> None:
    client = authority.client()
    token = authority.service.mint(client, "https://orders.example").token
    (bad,) = authority.service.keys()
    authority.clock.now += 1
    receipt = authority.service.revoke_key(bad.kid, actor="alice", reason="stolen")
    assert [written.selector.kind for written in receipt.rows] == ["key"]
    assert authority.service.explain(token).reason == "key_revoked"
    assert states(authority) == [KeyState.ANNOUNCED, KeyState.REVOKED]
    (entry,) = authority.service.log(receipt.n - 1, 1)
    with pytest.raises(NoSigningKey):
        authority.service.mint(client, "https://orders.example")
    with pytest.raises(NoSigningKey):
        authority.service.check_ready()
    authority.announce_all()
    assert [step for _, step in authority.key_desk.advance()] == [Step.ACTIVATE]
    fresh = authority.service.mint(client, "https://orders.example")
    assert authority.service.explain(fresh.token).answer == "accepted"
    own = key_set(authority).of(ISSUER)
    assert own is not None
    assert {entry.public.kid: entry.state for entry in own.keys}[bad.kid] is KeyState.REVOKED
    assert entry.n == receipt.n and model_of(authority.service).pack() == authority.service.status().table


def test_the_record_of_a_revoked_key_names_the_key_set_that_revokes_it(authority: Authority) -> None:
    (bad,) = authority.service.keys()
    receipt = authority.service.revoke_key(bad.kid, actor="alice", reason="stolen")
    with authority.storage.write() as session:
        (stored,) = sign_records(session, 1, receipt.n - 1, 1, authority.keystore)
    record = Record.from_event(Envelope.parse(stored.compact).event())
    assert record.key_set == key_set(authority).version == 2


def test_a_revoked_key_is_listed_until_its_last_token_would_have_expired(authority: Authority) -> None:
    (bad,) = authority.service.keys()
    authority.service.revoke_key(bad.kid, actor="alice", reason="stolen")
    authority.announce_all()
    authority.clock.now += LAST_TOKEN
    authority.key_desk.advance()
    own = key_set(authority).of(ISSUER)
    assert own is not None and bad.kid not in [entry.public.kid for entry in own.keys]


def test_what_the_table_of_transitions_does_not_have_is_refused(authority: Authority) -> None:
    (bad,) = authority.service.keys()
    authority.service.revoke_key(bad.kid, actor="alice", reason="stolen")
    with pytest.raises(Conflict):
        authority.service.revoke_key(bad.kid, actor="alice", reason="again")
    with pytest.raises(NotFound):
        authority.service.revoke_key("unknown", actor="alice", reason="")
    with pytest.raises(InvalidRequest):
        authority.service.rotate_key("HS256", actor="alice")


def test_revoking_an_announced_key_leaves_the_active_one(authority: Authority) -> None:
    authority.clock.now += 1
    new = authority.service.rotate_key(actor="alice")
    authority.service.revoke_key(new.kid, actor="alice", reason="stolen")
    assert states(authority) == [KeyState.REVOKED, KeyState.ACTIVE]
    assert authority.service.keys()[1].activated_at == T


def test_the_announcement_time_is_configurable(found: Callable[..., Authority]) -> None:
    authority = found(announce_seconds=0)
    authority.service.rotate_key(actor="alice")
    authority.announce_all()
    assert [step for _, step in authority.key_desk.advance()] == [Step.SUPERSEDE, Step.ACTIVATE]
