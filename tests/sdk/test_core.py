"""The guard's core against histories of an in-memory authority."""

import pytest

from revocast.schemas.jose import b64u
from revocast.schemas.row import NEVER, Row, Slot
from revocast.schemas.selector import Selector
from revocast.schemas.verdict import Outcome
from revocast.sdk.clock import Instant
from revocast.sdk.core import NO_FLOOR, Received
from revocast.sdk.errors import (
    GuardClosed,
    GuardIncomplete,
    GuardNotReady,
    GuardStale,
    InsufficientScope,
    TokenExpired,
    TokenRevoked,
    UnknownKey,
)
from revocast.sdk.freshness import State, Topic, Transition
from revocast.sdk.readiness import Floor
from revocast.sdk.recovery import Cure
from revocast.testing import Authority, Delivery, core_for


@pytest.fixture
def authority() -> Authority:
    return Authority(claims=("tenant",))


@pytest.fixture
def delivery(authority: Authority) -> Delivery:
    delivery = Delivery(authority, core_for(authority))
    delivery.deliver()
    assert delivery.core.state is State.READY
    return delivery


def accepts(delivery: Delivery, token: str) -> bool:
    """Whether the core, brought up to date, accepts the token."""
    delivery.deliver()
    try:
        delivery.core.verify(token, delivery.now)
    except TokenRevoked:
        return False
    return True


def whole(delivery: Delivery) -> bool:
    return delivery.core.table() == (delivery.authority.position, delivery.authority.table.pack())


# --- every kind, every slot


@pytest.mark.parametrize(
    "selector",
    [
        lambda issuer, kid: Selector.token(issuer, "t-1"),
        lambda issuer, kid: Selector.session(issuer, "s-1"),
        lambda issuer, kid: Selector.grant(issuer, "g-1"),
        lambda issuer, kid: Selector.subject(issuer, "alice"),
        lambda issuer, kid: Selector.client(issuer, "app"),
        lambda issuer, kid: Selector.subject_client(issuer, "alice", "app"),
        lambda issuer, kid: Selector.key(issuer, kid),
        lambda issuer, kid: Selector.issuer_wide(issuer),
        lambda issuer, kid: Selector.claim(issuer, "tenant", "acme"),
    ],
)
def test_every_kind_of_selector_refuses_in_both_slots_until_lifted(
    delivery: Delivery, selector: object
) -> None:
    authority = delivery.authority
    named = selector(authority.issuer, authority.active.kid)  # type: ignore[operator]
    token = authority.mint(jti="t-1", sid="s-1", grant_id="g-1", tenant="acme")
    other = authority.mint(sub="bob", client_id="web", tenant="other")
    for revoke, slot in ((authority.block, Slot.BLOCK), (authority.cutoff, Slot.CUTOFF)):
        assert accepts(delivery, token)
        revoke(named)
        assert not accepts(delivery, token)
        assert accepts(delivery, other) == (named.kind not in ("key", "issuer"))
        authority.lift(named, Slot.CUTOFF if slot is Slot.BLOCK else Slot.BLOCK)
        assert not accepts(delivery, token)
        authority.lift(named, slot)
        assert accepts(delivery, token)
    assert whole(delivery)


def test_names_are_compared_by_exact_code_points(delivery: Delivery) -> None:
    authority = delivery.authority
    authority.block(authority.subject("Ame\u0301lie"))
    authority.block(Selector.subject_client(authority.issuer, "a|b", "c"))
    assert accepts(delivery, authority.mint(sub="Am\u00e9lie"))
    assert accepts(delivery, authority.mint(sub="a", client_id="b|c"))
    assert not accepts(delivery, authority.mint(sub="a|b", client_id="c"))


def test_azp_names_the_client_of_a_token_without_client_id(authority: Authority) -> None:
    core = core_for(authority, required=frozenset())
    delivery = Delivery(authority, core)
    token = authority.mint(client_id=None, azp="app")
    assert accepts(delivery, token)
    authority.block(authority.client("app"))
    assert not accepts(delivery, token)


def test_a_token_without_jti_is_revoked_by_its_signing_input(authority: Authority) -> None:
    authority.rotate("ES256")
    delivery = Delivery(authority, core_for(authority, required=frozenset()))
    token = authority.mint(jti=None)
    head = token.rpartition(".")[0].encode()
    again = f"{head.decode()}.{b64u(authority.active.sign(head))}"  # ECDSA: the same token, another signature
    assert again != token
    assert accepts(delivery, token)
    assert accepts(delivery, again)
    authority.revoke(token)
    assert not accepts(delivery, token)
    assert not accepts(delivery, again)


def test_sign_out_everywhere_spares_the_next_second(delivery: Delivery) -> None:
    authority = delivery.authority
    old = authority.mint()
    authority.cutoff(authority.subject("alice"))
    assert not accepts(delivery, old)
    assert not accepts(delivery, authority.mint(iat=authority.now + 0.9, exp=authority.now + 60))
    authority.advance(1)
    assert accepts(delivery, authority.mint())


def test_scopes_are_required_together(delivery: Delivery) -> None:
    token = delivery.authority.mint(scope="orders:read orders:write")
    assert delivery.core.verify(token, delivery.now, ["orders:read", "orders:write"])
    with pytest.raises(InsufficientScope) as caught:
        delivery.core.verify(token, delivery.now, ["orders:read", "orders:delete"])
    assert caught.value.scopes == ("orders:read", "orders:delete")
    with pytest.raises(InsufficientScope):
        delivery.core.verify(delivery.authority.mint(), delivery.now, ["orders:read"])


# --- time


def test_a_row_is_dropped_by_the_logs_time_and_the_token_has_expired_by_then(delivery: Delivery) -> None:
    authority = delivery.authority
    token = authority.mint(lifetime=100)
    authority.revoke(token)
    assert not accepts(delivery, token)
    slow = Instant(authority.now, authority.now)  # this service's clock stands still
    authority.now += 100 + authority.leeway
    authority.append()
    delivery.deliver()
    assert delivery.core.table()[1] == b""
    with pytest.raises(TokenExpired):
        delivery.core.verify(token, Instant(slow.wall, delivery.now.monotonic))


def test_a_clock_that_is_late_still_takes_new_tokens(delivery: Delivery) -> None:
    authority = delivery.authority
    late = Instant(authority.now - 500, authority.now)
    authority.advance(1)
    delivery.deliver()
    assert delivery.core.verify(authority.mint(), late)


def test_a_checkpoint_from_a_far_future_is_not_believed(delivery: Delivery) -> None:
    authority, before = delivery.authority, delivery.core.health(delivery.now)
    authority.now += 700
    authority.checkpoint()
    authority.now -= 700
    verdicts = delivery.deliver()
    assert [verdict.outcome for verdict in verdicts] == [Outcome.REJECTED]
    assert delivery.core.health(delivery.now).authority_age == before.authority_age


# --- becoming ready


def test_nothing_is_judged_before_everything_was_read(authority: Authority) -> None:
    delivery = Delivery(authority, core_for(authority, policy="allow"))
    token = authority.mint()
    for topic in Topic:
        with pytest.raises(GuardNotReady):
            delivery.core.verify(token, delivery.now)
        delivery.feed(topic)
        delivery.core.caught_up(topic, delivery.core.ask(delivery.now), delivery.now)
    assert delivery.core.verify(token, delivery.now)


@pytest.mark.parametrize(
    ("lose", "reason"),
    [
        (lambda authority: authority.checkpoints.messages.clear(), "no checkpoint"),
        (lambda authority: authority.log.messages.clear(), "no record of the log"),
        (lambda authority: authority.log.drop(-1), "the log has been read to 1/1 of 1/2"),
        (lambda authority: authority.keys.messages.clear(), "no delegation list"),
        (lambda authority: authority.keys.drop(-1), "key versions that the newest checkpoint names"),
    ],
)
def test_it_is_not_ready_while_anything_is_missing_and_says_what(
    authority: Authority, lose: object, reason: str
) -> None:
    authority.block(authority.subject("alice"))
    authority.checkpoint()
    lose(authority)  # type: ignore[operator]
    delivery = Delivery(authority, core_for(authority))
    delivery.deliver()
    assert delivery.core.state is State.STARTING
    assert reason in delivery.core.missing()


def test_it_starts_while_the_issuer_is_down_but_not_on_what_is_too_old(authority: Authority) -> None:
    authority.now += 3000
    young = Delivery(authority, core_for(authority))
    young.deliver()
    assert young.core.state is State.READY
    authority.now += 601
    old = Delivery(authority, core_for(authority))
    old.deliver()
    assert old.core.state is State.STARTING
    assert "no newer checkpoint" in old.core.missing()


def test_it_becomes_ready_once_the_end_that_it_asked_for_was_reached(authority: Authority) -> None:
    core = core_for(authority)
    delivery = Delivery(authority, core)
    for topic in Topic:
        delivery.feed(topic)
    assert core.state is State.STARTING
    for topic in Topic:
        core.caught_up(topic, core.ask(delivery.now), delivery.now)
    assert core.state is State.READY


def test_older_keys_than_an_earlier_run_has_seen_make_nobody_ready(authority: Authority) -> None:
    for floor in (Floor(2), Floor(1, (1, 3)), Floor(1, (2, 1))):
        delivery = Delivery(authority, core_for(authority, floor=floor))
        delivery.deliver()
        assert delivery.core.state is State.STARTING
    delivery = Delivery(authority, core_for(authority, floor=Floor(1, (1, 2))))
    delivery.deliver()
    assert delivery.core.state is State.READY
    assert Floor(0, (0, 0)) == NO_FLOOR


# --- what others do to the stream


def test_a_lost_record_makes_it_incomplete_and_a_reread_whole(delivery: Delivery) -> None:
    authority = delivery.authority
    token = authority.mint()
    authority.revoke(token)
    lost = authority.log.drop(-1)
    authority.block(authority.subject("bob"))
    delivery.deliver()
    assert delivery.core.state is State.READY  # it may still be on its way
    authority.now += 2
    delivery.deliver()
    assert delivery.core.state is State.INCOMPLETE
    assert delivery.core.cure(delivery.now) is Cure.REREAD
    with pytest.raises(GuardIncomplete):
        delivery.core.verify(token, delivery.now)
    delivery.reread()
    assert delivery.core.state is State.INCOMPLETE
    authority.log.restore(lost)
    authority.now += 2
    delivery.deliver()
    assert delivery.core.cure(delivery.now) is Cure.REREAD
    delivery.reread()
    assert delivery.core.state is State.READY
    assert delivery.core.cure(delivery.now) is Cure.NOTHING
    assert not accepts(delivery, token)
    assert whole(delivery)


def test_reading_again_is_not_counted_as_a_replay(delivery: Delivery) -> None:
    delivery.authority.block(delivery.authority.subject("bob"))
    delivery.deliver()
    delivery.reread()
    assert "log.replay" not in delivery.core.counters
    delivery.authority.log.replay(0)
    delivery.deliver()
    assert delivery.core.counters["log.replay"] == 1


def test_records_that_change_places_are_put_in_order(delivery: Delivery) -> None:
    authority = delivery.authority
    token = authority.mint()
    authority.revoke(token)
    authority.block(authority.subject("bob"))
    authority.log.swap(-1, -2)
    assert not accepts(delivery, token)
    assert delivery.core.state is State.READY
    assert whole(delivery)


def test_a_tail_that_the_issuer_signed_for_and_the_log_lost_is_noticed(delivery: Delivery) -> None:
    authority = delivery.authority
    authority.block(authority.subject("bob"))
    lost = authority.log.drop(-1)
    authority.checkpoint()
    delivery.deliver()
    assert delivery.core.state is State.READY
    authority.now += 1
    delivery.deliver()
    assert delivery.core.state is State.READY  # the question may have overtaken the record
    authority.now += 1
    delivery.deliver()
    assert delivery.core.state is State.INCOMPLETE
    authority.log.restore(lost)
    delivery.reread()
    assert delivery.core.state is State.READY


def test_a_checkpoint_that_overtakes_its_record_alarms_nobody(delivery: Delivery) -> None:
    authority, core = delivery.authority, delivery.core
    authority.block(authority.subject("bob"))
    authority.checkpoint()
    delivery.feed(Topic.CHECKPOINTS)
    authority.now += 30  # the log's end has not been asked for since
    core.handle_timer(delivery.now)
    assert core.state is State.READY


def test_a_replayed_lift_lifts_nothing(delivery: Delivery) -> None:
    authority = delivery.authority
    alice = authority.subject("alice")
    token = authority.mint()
    authority.block(alice)
    authority.lift(alice)
    authority.block(alice)
    authority.log.replay(-2)
    assert not accepts(delivery, token)
    assert whole(delivery)
    later = Delivery(authority, core_for(authority))
    authority.checkpoint()
    assert not accepts(later, token)


@pytest.mark.parametrize("value", [None, b"", b"junk", b"e30.e30.", b"\xff" * 100, b"A" * 2_000_000])
@pytest.mark.parametrize("topic", Topic)
def test_poison_is_counted_and_changes_nothing(delivery: Delivery, topic: Topic, value: bytes | None) -> None:
    before = delivery.core.table()
    verdicts = delivery.core.receive(topic, [Received(1000, value)], delivery.now)
    assert [verdict.outcome for verdict in verdicts] == [Outcome.REJECTED]
    assert delivery.core.counters[f"{topic}.rejected"] == 1
    assert delivery.core.table() == before
    assert delivery.core.state is State.READY


@pytest.mark.parametrize("topic", Topic)
def test_a_forged_signature_is_rejected(delivery: Delivery, topic: Topic) -> None:
    before = delivery.core.health(delivery.now)
    delivery.logs[topic].forge(-1)
    verdicts = delivery.deliver()
    assert [verdict.outcome for verdict in verdicts] == [Outcome.REJECTED]
    after = delivery.core.health(delivery.now)
    assert (after.state, after.n, after.key_set) == (before.state, before.n, before.key_set)


def test_a_token_key_signs_no_record(delivery: Delivery) -> None:
    authority = delivery.authority
    record, _ = authority.sign_next((authority.block_row(authority.subject("alice")),))
    authority.log.append(record.key, authority.sign(record, authority.active))
    verdicts = delivery.deliver()
    assert Outcome.REJECTED in [verdict.outcome for verdict in verdicts]
    assert whole(delivery)


def test_a_fork_is_ignored_until_the_issuer_says_which_is_right(delivery: Delivery) -> None:
    authority = delivery.authority
    record, other = authority.sign_next((authority.block_row(authority.subject("bob")),))
    authority.block(authority.subject("alice"))
    authority.log.append(record.key, other)
    delivery.deliver()
    assert delivery.core.state is State.INCOMPLETE
    assert "another history" in delivery.core.freshness.reason
    authority.advance(1)
    delivery.deliver()
    assert delivery.core.state is State.READY
    assert whole(delivery)


# --- keys and epochs


def test_a_record_waits_for_its_keys_and_is_then_applied(delivery: Delivery) -> None:
    authority = delivery.authority
    token = authority.mint()
    authority.rotate_event_key()
    authority.revoke(token)
    delivery.feed(Topic.LOG)
    assert delivery.core.wants_keys
    assert delivery.core.state is State.READY
    assert not accepts(delivery, token)


def test_junk_of_an_unknown_key_waits_for_one_look_and_stops_nobody(delivery: Delivery) -> None:
    authority, stranger = delivery.authority, Authority(issuer="https://issuer.test")
    token = authority.mint()
    authority.log.append(b"9", stranger.log.messages[0].value)
    authority.revoke(token)
    delivery.feed(Topic.LOG)
    assert delivery.core.counters["log.applied"] == 2
    delivery.deliver()
    assert delivery.core.counters["log.rejected"] == 1
    assert not accepts(delivery, token)


def test_a_record_that_came_after_the_question_goes_on_waiting(delivery: Delivery) -> None:
    authority, core = delivery.authority, delivery.core
    asked = core.ask(delivery.now)
    authority.rotate_event_key()
    authority.block(authority.subject("alice"))
    delivery.feed(Topic.LOG)
    core.caught_up(Topic.KEYS, asked, delivery.now)  # an end from before the keys were written
    assert core.wants_keys
    delivery.deliver()
    assert whole(delivery)


def test_a_rotation_refuses_nothing(delivery: Delivery) -> None:
    authority = delivery.authority
    old = authority.mint()
    key = authority.announce("ES256")
    early = authority.mint(key=key)
    assert accepts(delivery, early)
    authority.rotate("RS256")
    new = authority.mint()
    assert all(accepts(delivery, token) for token in (old, early, new))
    authority.revoke_key(key.kid)
    assert not accepts(delivery, early)
    assert accepts(delivery, old)


def test_a_guard_that_does_not_know_a_key_yet_says_so(delivery: Delivery) -> None:
    token = delivery.authority.mint()
    key = delivery.authority.announce()
    with pytest.raises(UnknownKey):
        delivery.core.verify(delivery.authority.mint(key=key), delivery.now)
    assert delivery.core.verify(token, delivery.now)


def test_a_new_epoch_is_enforced_when_it_is_whole_and_the_old_one_until_then(delivery: Delivery) -> None:
    authority = delivery.authority
    old, new = authority.mint(sub="alice"), authority.mint(sub="bob")
    for n in range(1500):
        authority.block(authority.subject(f"user-{n}"))
    authority.block(authority.subject("alice"))
    assert not accepts(delivery, old)
    before = delivery.core.table()
    authority.new_epoch()
    closing = authority.log.drop(-1)
    delivery.deliver()
    assert delivery.core.state is State.INCOMPLETE
    assert "new epoch" in delivery.core.freshness.reason
    assert delivery.core.table() == before
    with pytest.raises(GuardIncomplete):
        delivery.core.verify(new, delivery.now)
    authority.log.append(closing.key, closing.value)
    authority.checkpoint()
    assert not accepts(delivery, old)
    assert accepts(delivery, new)
    assert whole(delivery)


def test_a_root_that_was_handed_over_is_followed(authority: Authority) -> None:
    delivery = Delivery(authority, core_for(authority))
    for _ in range(3):
        authority.rotate_root()
    authority.rotate_event_key()
    authority.checkpoint()
    assert accepts(delivery, authority.mint())


# --- policy and observation


def test_deny_refuses_and_allow_judges_by_what_is_known(authority: Authority) -> None:
    deny, allow = (Delivery(authority, core_for(authority, policy=policy)) for policy in ("deny", "allow"))
    good, bad = authority.mint(sub="bob", lifetime=3000), authority.mint(sub="alice")
    authority.block(authority.subject("alice"))
    authority.checkpoint()
    for delivery in (deny, allow):
        assert accepts(delivery, good)
    authority.now += 61
    for delivery in (deny, allow):
        delivery.core.handle_timer(delivery.now)
        assert delivery.core.state is State.STALE
    with pytest.raises(GuardStale):
        deny.core.verify(good, deny.now)
    assert allow.core.verify(good, allow.now)
    with pytest.raises(TokenRevoked):
        allow.core.verify(bad, allow.now)
    assert accepts(deny, good)


def test_what_was_read_up_to_now_refuses_nothing_while_the_issuer_answers_for_the_start(
    authority: Authority,
) -> None:
    token, good = authority.mint(sub="alice"), authority.mint(sub="bob")
    authority.block(authority.subject("alice"))
    before_the_lift = authority.log.end
    authority.lift(authority.subject("alice"))
    delivery = Delivery(authority, core_for(authority))
    delivery.feed(Topic.KEYS)
    core, messages = delivery.core, authority.log.messages[:before_the_lift]
    core.receive(Topic.LOG, [Received(each.offset, each.value) for each in messages], delivery.now)
    assert core.state is State.STARTING
    assert core.known(token, delivery.now)  # the block is of a past moment; the signature is of no moment
    authority.revoke_key(authority.active.kid)
    delivery.feed(Topic.KEYS)
    with pytest.raises(TokenRevoked):
        core.known(good, delivery.now)
    delivery.deliver()
    assert core.state is State.READY


def test_staleness_needs_no_timer_to_be_seen_by_a_request(delivery: Delivery) -> None:
    token = delivery.authority.mint()
    delivery.core.verify(token, delivery.now)
    delivery.authority.now += 61
    with pytest.raises(GuardStale):
        delivery.core.verify(token, delivery.now)


def test_every_change_of_state_is_told_with_its_reason(authority: Authority) -> None:
    delivery, told = Delivery(authority, core_for(authority)), list[Transition]()
    delivery.core.watch(told.append)
    delivery.deliver()
    authority.now += 100
    delivery.core.handle_timer(delivery.now)
    delivery.deliver()
    delivery.core.close(delivery.now)
    assert [change.after for change in told] == [State.READY, State.STALE, State.READY, State.CLOSED]
    assert "not in touch with Kafka" in told[1].reason
    with pytest.raises(GuardClosed):
        delivery.core.verify(authority.mint(), delivery.now)


def test_a_silent_issuer_is_warned_of_long_before_the_policy_acts(delivery: Delivery) -> None:
    delivery.authority.now += 31
    delivery.deliver()
    health = delivery.core.health(delivery.now)
    assert health.ready
    assert health.authority_age == 31
    assert any("relay" in warning for warning in health.warnings)
    assert health.as_dict()["state"] == "ready"


def test_rows_of_a_record_apply_in_their_order(delivery: Delivery) -> None:
    authority = delivery.authority
    name, kind = authority.name(authority.subject("alice"))
    authority.block(authority.subject("alice"))
    authority.append([Row.for_lift(name, kind, Slot.BLOCK), Row.for_block(name, kind, authority.now + 5)])
    token = authority.mint()
    assert not accepts(delivery, token)
    authority.advance(5)
    authority.append()
    assert accepts(delivery, token)
    assert whole(delivery)


def test_a_block_for_ever_is_for_ever(delivery: Delivery) -> None:
    authority = delivery.authority
    authority.block(authority.subject("alice"), NEVER)
    for _ in range(3):
        authority.advance(30 * 86400)
        authority.append()
        authority.checkpoint()
        assert not accepts(delivery, authority.mint())
