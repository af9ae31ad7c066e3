"""Whom a reader believes, a sentence a test."""

import pytest

from revocast.schemas.chain import Chain
from revocast.schemas.delegations import Roots
from revocast.schemas.events import assemble
from revocast.schemas.jose import PrivateKey, b64u, canonical_json, parse_json, unb64u
from revocast.schemas.keyset import KeyState
from revocast.schemas.trust import Trust
from revocast.schemas.verdict import Outcome
from tests.schemas.history import ISSUER, Deployment


@pytest.fixture
def log() -> Deployment:
    return Deployment()


@pytest.fixture
def trust(log: Deployment) -> Trust:
    return log.trust()


def outcome(trust: Trust, value: bytes | None) -> Outcome:
    return trust.receive(value, 9)[0].outcome


def test_documents_are_accepted_in_either_order(log: Deployment) -> None:
    trust = Trust(ISSUER, log.root.kid)
    assert outcome(trust, log.key_set()) is Outcome.HELD
    assert [v.outcome for v in trust.receive(log.first_list, 1)] == [Outcome.APPLIED, Outcome.APPLIED]
    assert trust.versions == (1, 1)
    assert not trust.waiting


def test_a_list_of_another_root_is_rejected(log: Deployment, trust: Trust) -> None:
    stranger = PrivateKey.generate()
    forged = log.delegations(2, signer=stranger, roots=Roots(first=dict(stranger.public.jwk)))
    assert outcome(trust, forged) is Outcome.REJECTED
    assert outcome(trust, log.delegations(2, signer=stranger)) is Outcome.REJECTED
    assert outcome(trust, log.delegations(2, signer=log.event)) is Outcome.REJECTED
    assert trust.versions == (1, 1)


def test_a_handover_that_the_old_root_did_not_sign_is_rejected(log: Deployment, trust: Trust) -> None:
    stranger = PrivateKey.generate()
    roots = Roots(first=dict(log.root.public.jwk)).handed_over(stranger, stranger.public, ISSUER)
    assert outcome(trust, log.delegations(2, signer=stranger, roots=roots)) is Outcome.REJECTED


def test_a_list_never_goes_back(log: Deployment, trust: Trust) -> None:
    second = log.delegations(2)
    assert outcome(trust, second) is Outcome.APPLIED
    assert outcome(trust, log.first_list) is Outcome.REPLAY
    assert outcome(trust, second) is Outcome.REPLAY
    assert outcome(trust, log.delegations(2, expires_at=5)) is Outcome.REJECTED
    assert trust.versions == (2, 1)


def test_a_list_that_skips_a_root_is_rejected(log: Deployment, trust: Trust) -> None:
    second, third = PrivateKey.generate(), PrivateKey.generate()
    once = Roots(first=dict(log.root.public.jwk)).handed_over(log.root, second.public, ISSUER)
    twice = once.handed_over(second, third.public, ISSUER)
    assert outcome(trust, log.delegations(2, signer=third, roots=twice)) is Outcome.APPLIED
    assert outcome(trust, log.delegations(3, signer=second, roots=once)) is Outcome.REJECTED
    other = Roots(first=dict(log.root.public.jwk)).handed_over(log.root, third.public, ISSUER)
    assert outcome(trust, log.delegations(3, signer=third, roots=other)) is Outcome.REJECTED


def test_an_epoch_has_one_opener(log: Deployment, trust: Trust) -> None:
    assert outcome(trust, log.delegations(2, opened_by=bytes(32))) is Outcome.REJECTED


@pytest.mark.parametrize("signer", ["token", "root"])
def test_a_key_set_of_a_key_that_is_not_delegated_waits_and_is_then_rejected(
    log: Deployment, trust: Trust, signer: str
) -> None:
    assert outcome(trust, log.key_set(2, signer=getattr(log, signer))) is Outcome.HELD
    assert trust.waiting
    assert [v.outcome for v in trust.settle()] == [Outcome.REJECTED]
    assert trust.versions == (1, 1)


def test_an_older_key_set_is_ignored(log: Deployment, trust: Trust) -> None:
    assert outcome(trust, log.key_set(3)) is Outcome.APPLIED
    assert outcome(trust, log.key_set(2)) is Outcome.REPLAY
    assert outcome(trust, log.key_set(3)) is Outcome.REPLAY
    assert trust.versions == (1, 3)


def test_what_an_earlier_run_has_seen_is_the_floor(log: Deployment) -> None:
    trust = Trust(ISSUER, log.root.kid, floor=(1, 3))
    trust.receive(log.first_list, 0)
    assert outcome(trust, log.key_set(2)) is Outcome.REPLAY
    assert outcome(trust, log.key_set(3)) is Outcome.APPLIED
    later = Trust(ISSUER, log.root.kid, floor=(2, 1))
    assert outcome(later, log.first_list) is Outcome.REPLAY


def test_the_salt_never_changes_and_claims_only_grow(log: Deployment, trust: Trust) -> None:
    assert outcome(trust, log.key_set(2, salt=b"\x01" * 32)) is Outcome.REJECTED
    assert outcome(trust, log.key_set(2, claims=())) is Outcome.REJECTED
    assert outcome(trust, log.key_set(2, claims=("device_id", "tenant"))) is Outcome.REJECTED
    assert outcome(trust, log.key_set(2, claims=("tenant", "device_id"))) is Outcome.APPLIED


def test_a_revoked_kid_never_comes_back_and_a_kid_never_changes_material(
    log: Deployment, trust: Trust
) -> None:
    revoked = log.issuer_keys(KeyState.REVOKED)
    other = log.issuer_keys(KeyState.ACTIVE, PrivateKey.generate())
    assert outcome(trust, log.key_set(2, issuers=(other,))) is Outcome.REJECTED
    assert outcome(trust, log.key_set(2, issuers=(revoked,))) is Outcome.APPLIED
    assert outcome(trust, log.key_set(3)) is Outcome.REJECTED


@pytest.mark.parametrize("junk", [None, b"", b"a.b.c", b"\xff" * 50, b"x" * 1_000_000])
def test_junk_is_rejected(trust: Trust, junk: bytes | None) -> None:
    assert outcome(trust, junk) is Outcome.REJECTED


def test_a_flood_of_strangers_stays_bounded(log: Deployment, trust: Trust) -> None:
    stranger = PrivateKey.generate()
    rejected = 0
    for version in range(2, 400):
        rejected += sum(
            v.outcome is Outcome.REJECTED
            for v in trust.receive(log.key_set(version, signer=stranger), version)
        )
    assert rejected + len(trust.settle()) == 398
    assert trust.versions == (1, 1)


def test_strangers_hold_no_more_than_a_few_megabytes(trust: Trust) -> None:
    header = b64u(canonical_json({"alg": "EdDSA", "kid": "nobody", "typ": "secevent+jwt"}))
    claims = {"iss": ISSUER, "aud": "keys", "iat": 1, "jti": "x", "events": {"later": {"pad": "A" * 300_000}}}
    large = f"{header}.{b64u(canonical_json(claims))}.AAAA".encode()
    chain = Chain(trust)
    for offset in range(60):
        trust.receive(large, offset)
        chain.receive(large, 0.0, offset)
    assert len(trust.settle()) == chain.held_for_keys == 8 * 1024 * 1024 // len(large)


def test_another_deployments_documents_are_rejected(log: Deployment) -> None:
    trust = Trust("https://other.example", log.root.kid)
    assert outcome(trust, log.first_list) is Outcome.REJECTED


def test_a_key_set_that_names_a_list_not_read_yet_waits_for_it(log: Deployment, trust: Trust) -> None:
    assert outcome(trust, log.key_set(1, delegations=2)) is Outcome.HELD
    assert trust.versions == (1, 1)
    assert [v.outcome for v in trust.receive(log.delegations(2), 3)] == [Outcome.APPLIED, Outcome.APPLIED]


def test_a_list_of_an_earlier_epoch_is_rejected(log: Deployment, trust: Trust) -> None:
    assert outcome(trust, log.delegations(2, epoch=2, opened_by=None)) is Outcome.APPLIED
    assert outcome(trust, log.delegations(3)) is Outcome.REJECTED


def test_an_event_copied_from_another_topic_is_rejected(log: Deployment, trust: Trust) -> None:
    for value in (log.first_list, log.key_set()):
        trust.receive(value, 0)
    assert trust.receive(log.record(), 2)[0].outcome is Outcome.REJECTED
    assert trust.receive(log.checkpoint(), 3)[0].outcome is Outcome.REJECTED
    assert trust.receive(log.unknown_event(), 4)[0].outcome is Outcome.REJECTED
    assert trust.receive(log.unknown_event("keys"), 5)[0].outcome is Outcome.UPGRADE


def test_what_a_compromised_key_wrote_does_not_stand_in_the_way_of_the_genuine_key_set(
    log: Deployment, trust: Trust
) -> None:
    revoked = log.issuer_keys(KeyState.REVOKED)
    assert outcome(trust, log.key_set(9, issuers=(revoked,), claims=("tenant", "evil"))) is Outcome.APPLIED
    new = PrivateKey.generate()
    opener = log.delegations(2, epoch=2, opened_by=None, keys=(log.delegate(new),))
    assert outcome(trust, opener) is Outcome.APPLIED
    assert trust.versions == (2, 0)
    assert outcome(trust, log.key_set(1, signer=new, delegations=2)) is Outcome.APPLIED
    assert trust.versions == (2, 1)


def test_a_signed_list_of_a_later_format_is_never_skipped(log: Deployment, trust: Trust) -> None:
    header, claims, _ = log.delegations(2).split(b".")
    later = parse_json(unb64u(claims))
    later["events"]["urn:revocast:event:delegations:1"]["surprise"] = 1
    signing_input = header + b"." + b64u(canonical_json(later)).encode()
    assert outcome(trust, assemble(signing_input, log.root.sign(signing_input))) is Outcome.UPGRADE
    assert outcome(trust, assemble(signing_input, log.event.sign(signing_input))) is Outcome.REJECTED
