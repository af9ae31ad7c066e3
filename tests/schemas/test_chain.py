"""The reader rule, a sentence a test."""

import pytest

from revocast.schemas.chain import Chain, Flaw
from revocast.schemas.delegations import Roots
from revocast.schemas.errors import SchemaError
from revocast.schemas.events import Envelope, assemble
from revocast.schemas.jose import PrivateKey
from revocast.schemas.record import Position
from revocast.schemas.row import NEVER, Row
from revocast.schemas.trust import Trust
from revocast.schemas.verdict import Outcome, Verdict
from tests.schemas.history import ISSUER, Deployment, T

ROW = Row.for_block(bytes(11), 4, NEVER)


def outcomes(verdicts: list[Verdict]) -> list[Outcome]:
    return [verdict.outcome for verdict in verdicts]


@pytest.fixture
def log() -> Deployment:
    return Deployment()


@pytest.fixture
def chain(log: Deployment) -> Chain:
    return log.chain()


def test_the_next_record_with_the_right_prev_is_applied(log: Deployment, chain: Chain) -> None:
    value = log.record(ROW)
    (verdict,) = chain.receive(value, 0.0, 7)
    assert verdict.outcome is Outcome.APPLIED
    assert verdict.record is not None
    assert verdict.record.rows == (ROW,)
    assert verdict.offset == 7
    assert chain.position == log.position
    assert chain.flaws == ()


def test_a_reader_without_a_record_says_so() -> None:
    assert Chain(Deployment().trust()).flaws == (Flaw.START, Flaw.EPOCH)


def test_a_replayed_record_is_ignored_and_changes_nothing(log: Deployment, chain: Chain) -> None:
    old = log.record(ROW)
    chain.receive(old, 0.0, 1)
    chain.receive(log.record(), 0.0, 2)
    before = chain.position
    assert outcomes(chain.receive(old, 0.0, 3)) == [Outcome.REPLAY]
    assert chain.position == before
    assert chain.flaws == ()


def test_a_later_record_is_held_and_applied_when_the_gap_fills(log: Deployment, chain: Chain) -> None:
    second, third, fourth = log.record(), log.record(ROW), log.record()
    assert outcomes(chain.receive(fourth, 0.0, 1)) == [Outcome.HELD]
    assert outcomes(chain.receive(third, 0.0, 2)) == [Outcome.HELD]
    assert chain.missing == 2
    verdicts = chain.receive(second, 1.0, 3)
    assert [verdict.record.n for verdict in verdicts if verdict.record] == [2, 3, 4]
    assert [verdict.offset for verdict in verdicts] == [3, 2, 1]
    assert chain.missing is None


def test_a_gap_is_a_flaw_after_two_seconds_and_until_it_was_followed_past(
    log: Deployment, chain: Chain
) -> None:
    second, third = log.record(), log.record()
    chain.receive(third, 10.0, 1)
    chain.handle_timer(11.9)
    assert chain.flaws == ()
    chain.handle_timer(12.0)
    assert chain.flaws == (Flaw.GAP,)
    chain.reread()
    assert chain.flaws == (Flaw.GAP,)
    chain.receive(second, 13.0, 0)
    assert chain.flaws == (Flaw.GAP,)
    chain.receive(third, 13.0, 1)
    assert chain.flaws == ()


def test_a_signed_record_of_another_history_is_ignored_and_a_fork(log: Deployment, chain: Chain) -> None:
    chain.receive(log.record(ROW, fork=True), 0.0, 1)
    log.record()
    after_the_fork = log.record()
    log.record()
    assert outcomes(chain.receive(after_the_fork, 0.0, 2)) == [Outcome.FORK]
    assert chain.position is not None
    assert chain.position.n == 2
    assert chain.flaws == (Flaw.FORK,)


def test_a_second_record_with_the_number_of_the_newest_is_a_fork(log: Deployment, chain: Chain) -> None:
    chain.receive(log.record(ROW, fork=True), 0.0, 1)
    assert outcomes(chain.receive(log.record(), 0.0, 2)) == [Outcome.FORK]
    assert chain.flaws == (Flaw.FORK,)


def test_the_issuers_checkpoint_settles_which_history_is_right(log: Deployment, chain: Chain) -> None:
    chain.receive(log.record(ROW, fork=True), 0.0, 1)
    chain.receive(log.record(), 0.0, 2)
    chain.receive_checkpoint(log.checkpoint(), T, 0)
    assert chain.flaws == (Flaw.FORK,)
    assert chain.position is not None
    confirmed = log.checkpoint(T + 1, hash=chain.position.hash)
    chain.receive_checkpoint(confirmed, T, 1)
    assert chain.flaws == ()


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_a_record_signed_by_a_stranger_waits_for_the_keys_and_is_then_rejected(
    log: Deployment, chain: Chain, alg: str
) -> None:
    stranger = PrivateKey.generate(alg)
    forged = log.record(ROW, signer=stranger, fork=True)
    assert outcomes(chain.receive(forged, 0.0, 1)) == [Outcome.HELD]
    assert chain.held_for_keys == 1
    assert outcomes(chain.receive(log.record(), 0.0, 2)) == [Outcome.APPLIED]
    assert outcomes(chain.settle(0.0)) == [Outcome.REJECTED]
    assert chain.flaws == ()


def test_what_arrives_after_the_end_offset_was_asked_goes_on_waiting(log: Deployment, chain: Chain) -> None:
    stranger = PrivateKey.generate()
    chain.receive(log.record(signer=stranger, fork=True), 0.0, 1)
    asked = chain.held_for_keys
    chain.receive(log.record(ROW, signer=stranger, fork=True), 0.0, 2)
    assert [verdict.offset for verdict in chain.settle(0.0, asked)] == [1]
    assert chain.held_for_keys == 1


@pytest.mark.parametrize("kid_of", ["event", "token"])
def test_a_forged_signature_under_a_known_kid_is_rejected(log: Deployment, chain: Chain, kid_of: str) -> None:
    value = log.record(ROW, fork=True)
    forged = assemble(value.rpartition(b".")[0], getattr(log, kid_of).sign(b"something else"))
    assert outcomes(chain.receive(forged, 0.0, 1)) == [Outcome.REJECTED]
    assert chain.flaws == ()


def test_a_rewritten_claim_breaks_the_signature(log: Deployment, chain: Chain) -> None:
    header, _, signature = log.record(fork=True).split(b".")
    _, payload, _ = log.record(ROW, fork=True).split(b".")
    assert outcomes(chain.receive(b".".join((header, payload, signature)), 0.0, 1)) == [Outcome.REJECTED]


def test_a_record_that_names_newer_keys_waits_for_them(log: Deployment, chain: Chain) -> None:
    value = log.record(ROW, key_set=2)
    assert outcomes(chain.receive(value, 0.0, 1)) == [Outcome.HELD]
    chain.trust.receive(log.key_set(version=2), 2)
    assert outcomes(chain.settle(0.0)) == [Outcome.APPLIED]


def test_a_new_event_key_whose_delegation_arrives_late_makes_no_gap(log: Deployment, chain: Chain) -> None:
    new = PrivateKey.generate()
    second, third = log.record(signer=new), log.record(ROW, signer=new)
    assert outcomes(chain.receive(second, 0.0, 1) + chain.receive(third, 0.0, 2)) == [
        Outcome.HELD,
        Outcome.HELD,
    ]
    chain.trust.receive(log.delegations(2, keys=(log.delegate(log.event), log.delegate(new))), 2)
    assert outcomes(chain.settle(0.0)) == [Outcome.APPLIED, Outcome.APPLIED]
    assert chain.flaws == ()


def test_a_retired_key_is_good_up_to_its_bound_and_for_nothing_else(log: Deployment, chain: Chain) -> None:
    new = PrivateKey.generate()
    chain.trust.receive(log.delegations(2, keys=(log.delegate(log.event, (1, 2)), log.delegate(new))), 2)
    assert outcomes(chain.receive(log.record(), 0.0, 1)) == [Outcome.APPLIED]
    assert outcomes(chain.receive(log.record(ROW, fork=True), 0.0, 2)) == [Outcome.REJECTED]
    assert chain.receive_checkpoint(log.checkpoint(), T, 0).outcome is Outcome.REJECTED
    assert outcomes(chain.trust.receive(log.key_set(2), 3)) == [Outcome.REJECTED]
    assert outcomes(chain.receive(log.record(ROW, signer=new), 0.0, 3)) == [Outcome.APPLIED]


@pytest.mark.parametrize(
    "junk",
    [None, b"", b"\x00" * 100, b"a.b.c", b"{}", b"e30.e30.", b"x" * 10_000_000],
    ids=["tombstone", "empty", "zeros", "letters", "json", "empty objects", "10 MB"],
)
def test_junk_is_rejected_and_stops_nothing(log: Deployment, chain: Chain, junk: bytes | None) -> None:
    assert outcomes(chain.receive(junk, 0.0, 1)) == [Outcome.REJECTED]
    assert outcomes(chain.receive(log.record(), 0.0, 2)) == [Outcome.APPLIED]


def test_a_signed_event_of_an_unknown_type_is_never_skipped(log: Deployment, chain: Chain) -> None:
    assert outcomes(chain.receive(log.unknown_event(), 0.0, 1)) == [Outcome.UPGRADE]
    assert chain.flaws == (Flaw.UPGRADE,)


def test_an_event_copied_from_another_topic_is_rejected_and_stops_nobody(
    log: Deployment, chain: Chain
) -> None:
    for copied in (log.checkpoint(), log.key_set()):
        assert outcomes(chain.receive(copied, 0.0, 1)) == [Outcome.REJECTED]
    assert outcomes(chain.receive(log.record(), 0.0, 2)) == [Outcome.APPLIED]
    assert chain.flaws == ()


def test_a_record_of_another_deployment_is_rejected(log: Deployment, chain: Chain) -> None:
    record = log.position.next_record((ROW,), T, delegations=1, key_set=1)
    assert outcomes(chain.receive(record.signed("https://other.example", log.event), 0.0, 1)) == [
        Outcome.REJECTED
    ]


def test_a_record_that_goes_back_in_time_is_not_understood(log: Deployment, chain: Chain) -> None:
    early = log.position.next_record((), T, delegations=1, key_set=1).model_copy(update={"t": T - 1})
    assert outcomes(chain.receive(early.signed(ISSUER, log.event), 0.0, 1)) == [Outcome.UPGRADE]


def test_the_writers_time_never_goes_back(log: Deployment) -> None:
    log.record(at=T + 100)
    log.record(at=T)
    assert log.position.t == T + 100


def test_a_lower_checkpoint_is_ignored_and_a_far_one_is_not_believed(log: Deployment, chain: Chain) -> None:
    old = log.checkpoint(T)
    chain.receive(log.record(), 0.0, 1)
    new = log.checkpoint(T + 2)
    assert chain.receive_checkpoint(new, T, 0).outcome is Outcome.APPLIED
    assert chain.receive_checkpoint(old, T, 1).outcome is Outcome.REPLAY
    assert chain.receive_checkpoint(new, T, 2).outcome is Outcome.REPLAY
    assert chain.receive_checkpoint(log.checkpoint(T + 700), T, 3).outcome is Outcome.REJECTED
    assert chain.receive_checkpoint(None, T, 4).outcome is Outcome.REJECTED
    assert chain.receive_checkpoint(log.checkpoint(T + 4, signer=log.token), T, 5).outcome is Outcome.HELD
    assert [verdict.outcome for verdict in chain.settle_checkpoints(T)] == [Outcome.REJECTED]
    assert chain.checkpoint is not None
    assert chain.checkpoint.t == T + 2


def open_epoch_two(log: Deployment, trust: Trust) -> None:
    """The root opens epoch 2 with a new event key, because the old one is compromised."""
    log.event = PrivateKey.generate()
    opener = log.delegations(2, epoch=2, opened_by=None, keys=(log.delegate(log.event),))
    trust.receive(opener, 2)
    trust.receive(log.key_set(2, delegations=2), 3)
    log.position = Position.opening(2, Envelope.parse(opener).hash)


def test_a_new_epoch_is_a_flaw_until_its_live_set_is_closed(log: Deployment, chain: Chain) -> None:
    stolen = log.event
    open_epoch_two(log, chain.trust)
    assert chain.flaws == (Flaw.EPOCH,)
    chain.receive(log.record(ROW, closes_live_set=False), 0.0, 1)
    assert chain.flaws == (Flaw.EPOCH,)
    chain.receive(log.record(closes_live_set=True), 0.0, 2)
    assert chain.flaws == ()
    forged = log.record(ROW, signer=stolen, fork=True)
    chain.receive(forged, 0.0, 3)
    assert outcomes(chain.settle(0.0)) == [Outcome.REJECTED]


def test_a_new_epoch_must_follow_its_opener(log: Deployment, chain: Chain) -> None:
    open_epoch_two(log, chain.trust)
    log.position = Position.opening(2, bytes(32))
    assert outcomes(chain.receive(log.record(), 0.0, 1)) == [Outcome.FORK]


def test_records_held_over_an_epoch_never_loop(log: Deployment, chain: Chain) -> None:
    chain.receive(log.record(), 0.0, 1)
    open_epoch_two(log, chain.trust)
    values = [log.record() for _ in range(4)]
    assert outcomes(chain.receive(values[3], 0.0, 2)) == [Outcome.HELD]
    assert outcomes(chain.receive(values[2], 0.0, 3)) == [Outcome.HELD]
    assert len(chain.receive(values[0], 0.0, 4)) == 1
    assert len(chain.receive(values[1], 0.0, 5)) == 3
    assert chain.position == log.position


def test_a_reader_that_brings_a_position_continues_there(log: Deployment) -> None:
    log.record()
    chain = Chain(log.trust(), log.position)
    assert chain.flaws == ()
    assert outcomes(chain.receive(log.record(), 0.0, 1)) == [Outcome.APPLIED]


def test_a_slept_reader_follows_three_root_handovers(log: Deployment) -> None:
    roots, signer = Roots(first=dict(log.root.public.jwk)), log.root
    for _ in range(3):
        successor = PrivateKey.generate()
        roots = roots.handed_over(signer, successor.public, ISSUER)
        signer = successor
    trust = log.trust()
    assert outcomes(trust.receive(log.delegations(2, signer=signer, roots=roots), 2)) == [Outcome.APPLIED]
    fresh = Trust(ISSUER, signer.kid)
    assert outcomes(fresh.receive(log.delegations(2, signer=signer, roots=roots), 2)) == [Outcome.APPLIED]
    assert outcomes(fresh.receive(log.delegations(3), 3)) == [Outcome.REJECTED]


def test_a_reader_may_begin_at_a_snapshots_place_and_applies_what_it_held(
    log: Deployment, chain: Chain
) -> None:
    values = [log.record(ROW) for _ in range(3)]
    place, fourth, fifth = log.position, log.record(), log.record(ROW)
    assert outcomes(chain.receive(values[2], 0.0, 2)) == [Outcome.HELD]
    chain.receive(fifth, 0.0, 4)
    chain.handle_timer(3.0)
    assert Flaw.GAP in chain.flaws
    assert chain.begin_at(place, 3.0) == []
    assert chain.position == place
    assert outcomes(chain.receive(fourth, 3.0, 3)) == [Outcome.APPLIED, Outcome.APPLIED]
    assert chain.position == log.position
    assert chain.flaws == ()
    assert outcomes(chain.receive(values[2], 3.0, 2)) == [Outcome.REPLAY]


def test_no_reader_begins_behind_itself_or_in_another_epoch(log: Deployment, chain: Chain) -> None:
    first = log.position
    chain.receive(log.record(ROW), 0.0, 1)
    for place in (first, log.position, Position(2, 9, bytes(32), T)):
        with pytest.raises(SchemaError):
            chain.begin_at(place, 0.0)
    assert chain.position == log.position
