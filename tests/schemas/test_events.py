"""The envelope and the documents in it, a sentence a test."""

import json
from typing import Any

import pytest

from revocast.schemas.errors import JoseError, MalformedEvent
from revocast.schemas.events import Envelope, assemble
from revocast.schemas.jose import b64u, canonical_json, parse_json, unb64u
from revocast.schemas.keyset import IssuerKeys, KeyState, Lifetime
from revocast.schemas.record import Record
from revocast.schemas.verdict import Outcome
from tests.schemas.history import ISSUER, Deployment


@pytest.fixture
def log() -> Deployment:
    return Deployment()


def rewritten(
    log: Deployment,
    value: bytes,
    *,
    header: dict[str, Any] | None = None,
    claims: dict[str, Any] | None = None,
) -> bytes:
    """The same event with another header or other claims, signed again by the event key."""
    old_header, old_claims, _ = value.split(b".")
    new_header = {**parse_json(unb64u(old_header)), **(header or {})}
    new_claims = {**parse_json(unb64u(old_claims)), **(claims or {})}
    signing_input = f"{b64u(canonical_json(new_header))}.{b64u(canonical_json(new_claims))}".encode()
    return assemble(signing_input, log.event.sign(signing_input))


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "secevent+JWT ", None])
def test_only_our_typ_is_an_event(log: Deployment, typ: str | None) -> None:
    with pytest.raises(JoseError, match="typ"):
        Envelope.parse(rewritten(log, log.record(), header={"typ": typ}))


def test_the_algorithm_in_the_header_must_be_the_keys(log: Deployment) -> None:
    value = rewritten(log, log.record(), header={"alg": "ES256"})
    assert not Envelope.parse(value).verified_by(log.event.public)
    renamed = rewritten(log, log.record(), header={"alg": "Ed25519"})
    assert Envelope.parse(renamed).verified_by(log.event.public)


def test_a_jti_that_does_not_fit_the_content_is_refused(log: Deployment) -> None:
    value = rewritten(log, log.record(), claims={"jti": "record/1/9"})
    with pytest.raises(MalformedEvent, match="jti"):
        Record.from_event(Envelope.parse(value).event())


@pytest.mark.parametrize(
    "claims",
    [
        {"iat": 1.5},
        {"iat": True},
        {"iat": -1},
        {"iat": "1"},
        {"iss": 7},
        {"aud": None},
        {"aud": ["revocations"]},
        {"events": {}},
        {"events": {"a": {}, "b": {}}},
        {"events": {"a": 1}},
        {"events": []},
    ],
    ids=json.dumps,
)
def test_claims_of_another_shape_are_refused(log: Deployment, claims: dict[str, Any]) -> None:
    with pytest.raises(MalformedEvent):
        Envelope.parse(rewritten(log, log.record(), claims=claims)).event()


def test_an_ignorable_event_of_an_unknown_type_is_ignored(log: Deployment) -> None:
    unknown = {"events": {"urn:revocast:event:weather:1": {}}, "ignorable": True}
    chain = log.chain()
    (verdict,) = chain.receive(rewritten(log, log.record(), claims=unknown), 0.0, 1)
    assert verdict.outcome is Outcome.IGNORED
    assert chain.flaws == ()


def test_the_hash_does_not_depend_on_the_signature(log: Deployment) -> None:
    value = log.record()
    other = assemble(value.rpartition(b".")[0], bytes(64))
    assert Envelope.parse(value).hash == Envelope.parse(other).hash


def test_lifetimes_ascend_and_the_one_at_the_iat_counts() -> None:
    entries = (Lifetime(since=100, max_lifetime=3600), Lifetime(since=200, max_lifetime=600))
    issuer = IssuerKeys(issuer=ISSUER, lifetimes=entries, keys=())
    assert [issuer.max_lifetime(iat) for iat in (99, 100, 199, 200)] == [None, 3600, 3600, 600]
    assert issuer.longest_lifetime == 3600
    with pytest.raises(ValueError, match="ascend"):
        IssuerKeys(issuer=ISSUER, lifetimes=entries[::-1], keys=())


def test_a_kid_stands_once_in_an_issuers_keys(log: Deployment) -> None:
    keys = log.issuer_keys(KeyState.ACTIVE).keys
    with pytest.raises(ValueError, match="twice"):
        IssuerKeys(issuer=ISSUER, lifetimes=(Lifetime(since=0, max_lifetime=1),), keys=keys * 2)
