"""Claims: their types, what names whom, and what revocations need of them (RFC 7519, RFC 9068, RFC 8725 §3.8 to §3.12)."""

import copy
import json
import pickle
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revocast.schemas.selector import BUILT_IN_KINDS, Selector, fingerprint
from revocast.sdk import Claims
from revocast.sdk.errors import (
    ClaimInvalid,
    TokenError,
    TokenExpired,
    TokenMalformed,
    TokenNotYetValid,
    TokenRevoked,
)
from revocast.testing import Authority, Delivery, core_for
from revocast.testing.tokens import claims_of, sign_token
from tests.attacks.service import Service, serve, service, signatures

__all__ = ["serve", "service", "signatures"]


def refused_for(service: Service, claim: str, token: str) -> None:
    """The token is refused, and for this claim."""
    error = service.refuses(token, ClaimInvalid)
    assert isinstance(error, ClaimInvalid)
    assert error.claim == claim


def with_claim(service: Service, name: str, value: Any) -> str:
    """A token with another value of one claim; None: without it."""
    claims: dict[str, Any] = {name: value}
    return service.authority.mint(**claims)


# --- T10


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize(
    "value",
    [
        '"1800000100"',
        "true",
        "null",
        "[]",
        "[1800000100]",
        "{}",
        "-1",
        "-1e9",
        "4294967295",
        "1e300",
        "9" * 20,
    ],
)
def test_t10_a_time_is_a_number_of_seconds_in_range(service: Service, name: str, value: str) -> None:
    refused_for(service, name, _with(service, name, value))


@pytest.mark.parametrize("name", ["exp", "iat", "nbf", "made_up"])
@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1" * 30, "0x1", "01", "1.", ".5", "+1"]
)
def test_t10_what_is_no_finite_number_is_not_even_parsed(service: Service, name: str, value: str) -> None:
    service.refuses(_with(service, name, value), TokenMalformed)


def _with(service: Service, name: str, value: str) -> str:
    """A token with this JSON text as the value of one claim."""
    members = {each: said for each, said in claims_of(service.authority.mint()).items() if each != name}
    return sign_token((json.dumps(members)[:-1] + f',"{name}":{value}}}').encode(), service.authority.active)


@pytest.mark.parametrize("name", ["exp", "iat"])
def test_t10_a_missing_time_is_refused(service: Service, name: str) -> None:
    refused_for(service, name, with_claim(service, name, None))


def test_t10_a_token_from_the_future_or_the_past_is_refused(service: Service) -> None:
    authority = service.authority
    now, leeway = authority.now, authority.leeway
    service.accepts(authority.mint(iat=now + leeway, nbf=now + leeway))
    service.refuses(authority.mint(iat=now + leeway + 1), TokenNotYetValid)
    service.refuses(authority.mint(nbf=now + leeway + 1), TokenNotYetValid)
    old = authority.mint(lifetime=60)
    authority.advance(60 + leeway)
    service.refuses(old, TokenExpired)
    for zero in (0, -0.0):
        refused_for(service, "exp", authority.mint(exp=zero))


# --- T11


@pytest.mark.parametrize(
    "aud",
    [
        [],
        "",
        ["billing"],
        "order",
        "orders ",
        "Orders",
        "orders billing",
        ["orders", 7],
        {"orders": 1},
        7,
        True,
        [["orders"]],
    ],
    ids=repr,
)
def test_t11_a_token_for_another_service_is_refused(service: Service, aud: object) -> None:
    refused_for(service, "aud", service.authority.mint(aud=aud))


@pytest.mark.parametrize(
    "iss",
    [
        "https://issuer.test/",
        "https://issuer.test.evil",
        "https://issuer.tes",
        "https://ISSUER.test",
        "https://issuer.test\0",
        "https://\u0456ssuer.test",  # a Cyrillic letter
        ["https://issuer.test"],
        {"https://issuer.test": 1},
        7,
    ],
    ids=repr,
)
def test_t11_an_issuer_that_only_looks_like_ours_is_refused(service: Service, iss: object) -> None:
    refused_for(service, "iss", service.authority.mint(iss=iss))


@pytest.mark.parametrize(
    "typ",
    [
        "JWT",
        "jwt",
        "id+jwt",
        "secevent+jwt",
        "logout+jwt",
        "at+jwt ",
        "application/at+jwt;v=1",
        "text/at+jwt",
        "",
        None,
        7,
        ["at+jwt"],
    ],
    ids=repr,
)
def test_t11_another_kind_of_jwt_is_refused(service: Service, typ: object) -> None:
    header = {"alg": "EdDSA", "kid": service.authority.active.kid, "typ": typ}
    claims = claims_of(service.authority.mint())
    service.refuses(sign_token(claims, service.authority.active, json.dumps(header).encode()), TokenMalformed)


def test_t11_an_event_of_the_log_is_no_token_and_its_key_signs_none(service: Service) -> None:
    authority = service.authority
    record = authority.block(authority.subject("bob"))
    assert record.value is not None
    service.refuses(record.value.decode(), TokenMalformed)
    for key in (authority.event_key, authority.root):
        error = service.refuses(authority.mint(key=key), *TokenError.__subclasses__())
        assert error.code == "unknown_key"


# --- T14


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "client_id", "jti"])
def test_t14_what_the_profile_requires_must_be_there(service: Service, name: str) -> None:
    refused_for(service, name, with_claim(service, name, None))


@pytest.mark.parametrize("name", ["jti", "sid", "grant_id", "sub", "client_id", "azp", "tenant"])
@pytest.mark.parametrize(
    "value",
    ["", 7, 0, False, True, 1.5, [], ["a"], {}, {"a": 1}, "a\0b", "x" * 1025],
    ids=lambda value: repr(value)[:12],
)
def test_t14_what_a_revocation_may_name_can_be_named(service: Service, name: str, value: object) -> None:
    refused_for(service, name, with_claim(service, name, value))


@pytest.mark.parametrize("name", ["jti", "sub", "client_id"])
def test_t14_null_is_no_name(service: Service, name: str) -> None:
    refused_for(service, name, _with(service, name, "null"))


def test_t14_where_no_name_is_required_the_tokens_own_text_names_it() -> None:
    authority = Authority()
    delivery = Delivery(authority, core_for(authority, required=frozenset()))
    nameless: dict[str, Any] = {"jti": None, "sub": None, "client_id": None}
    token, other = authority.mint(**nameless), authority.mint(**nameless, nonce="other")
    delivery.deliver()
    assert delivery.core.verify(token, delivery.now)
    authority.revoke(token)
    delivery.deliver()
    with pytest.raises(TokenRevoked):
        delivery.core.verify(token, delivery.now)
    assert delivery.core.verify(other, delivery.now)


# --- T15

ONE_VALUE = sorted({*BUILT_IN_KINDS, "claim:tenant", "claim:subject"} - {"issuer", "subject+client"})
TEXT = st.text(st.sampled_from("ab|:/\0 é"), min_size=4, max_size=8)


@given(TEXT, st.data())
def test_t15_different_selectors_never_share_an_encoding(text: str, data: st.DataObject) -> None:
    """However one text is cut into issuer, subject and client. Fingerprints are a hash: they collide if encodings do."""

    def cut() -> Selector:
        first, second = sorted(data.draw(st.sets(st.integers(1, len(text) - 1), min_size=2, max_size=2)))
        return Selector.subject_client(text[:first], text[first:second], text[second:])

    one, other = cut(), cut()
    assert (fingerprint(bytes(32), one) == fingerprint(bytes(32), other)) == (one == other)
    assert len({fingerprint(bytes(32), Selector("issuer", kind, (text,))) for kind in ONE_VALUE}) == len(
        ONE_VALUE
    )


@pytest.mark.parametrize(
    ("revoked", "other"),
    [
        (("a|b", "c"), ("a", "b|c")),
        (("a", "bc"), ("ab", "c")),
        (("a:", "b"), ("a", ":b")),
        (("a ", "b"), ("a", " b")),
    ],
)
def test_t15_separators_move_nothing_from_one_name_to_the_next(
    service: Service, revoked: tuple[str, str], other: tuple[str, str]
) -> None:
    authority = service.authority
    authority.block(Selector.subject_client(authority.issuer, *revoked))
    service.refuses(authority.mint(sub=revoked[0], client_id=revoked[1]), TokenRevoked)
    service.accepts(authority.mint(sub=other[0], client_id=other[1]))


@pytest.mark.parametrize(
    "look_alike",
    [
        "Amélie",
        "amelie",
        unicodedata.normalize("NFD", "amélie"),
        "\u0430mélie",
        "amélie\u200b",
        "\uff41mélie",
        "amélie ",
        " amélie",
    ],
    ids=ascii,
)
def test_t15_names_are_compared_by_exact_code_points(service: Service, look_alike: str) -> None:
    authority = service.authority
    authority.block(authority.subject("amélie"))
    service.refuses(authority.mint(sub="amélie"), TokenRevoked)
    service.accepts(authority.mint(sub=look_alike))
    authority.block(authority.subject(look_alike))
    service.refuses(authority.mint(sub=look_alike), TokenRevoked)


def test_t15_a_name_of_one_kind_is_none_of_another(service: Service) -> None:
    authority = service.authority
    authority.block(authority.subject("app"))
    authority.block(authority.session("alice"))
    authority.block(Selector.claim(authority.issuer, "tenant", "alice"))
    service.accepts(authority.mint(sub="alice", client_id="app", tenant="app"))


# --- T18


def test_t18_no_token_outlives_its_revocation(service: Service) -> None:
    authority = service.authority
    longest, now = authority.max_lifetime, authority.now
    service.accepts(authority.mint(lifetime=longest))
    refused_for(service, "exp", authority.mint(lifetime=longest + 1))
    # A cutoff compares floor(iat) and expires by it: the fraction must not buy a moment after the row is gone.
    refused_for(service, "exp", authority.mint(iat=now + 0.9, exp=now + longest + 0.5))
    refused_for(service, "exp", authority.mint(exp=now))
    refused_for(service, "exp", authority.mint(exp=4294967294))
    refused_for(service, "iat", authority.mint(iat=1, exp=100))


# --- T19


def test_t19_nobody_can_change_the_claims_that_a_token_is_remembered_by(service: Service) -> None:
    token = service.authority.mint(scope="read", roles=["user", {"of": ["x"]}], act={"sub": "bob"})
    claims = service.accepts(token)
    before = claims.to_dict()
    for attempt in (
        "claims['scope'] = 'admin'",
        "del claims['exp']",
        "claims.scope = 'admin'",
        "claims.update(scope='admin')",
        "claims.pop('exp')",
        "claims |= {'scope': 'admin'}",
        "claims._members['scope'] = 'admin'",
        "claims._members = {}",
        "del claims._members",
        "claims['roles'].append('admin')",
        "claims['roles'] += ('admin',); claims['roles'][2]",
        "claims['roles'][0] = 'admin'",
        "claims['roles'][1]['of'] = ()",
        "claims['act']['sub'] = 'alice'",
        "claims['act']._members['sub'] = 'alice'",
    ):
        with pytest.raises((TypeError, AttributeError)):
            exec(attempt, {"claims": claims})  # noqa: S102
    for copied in (
        claims.to_dict(),
        copy.deepcopy(claims).to_dict(),
        pickle.loads(pickle.dumps(claims)).to_dict(),  # noqa: S301
    ):
        copied["scope"] = "admin"
        copied["roles"].append("admin")
        copied["act"]["sub"] = "alice"
    again = service.accepts(token)
    assert again is claims
    assert isinstance(again, Claims)
    assert again.to_dict() == before
