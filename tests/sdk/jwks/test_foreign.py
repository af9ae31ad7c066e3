"""Tokens of a foreign issuer, whose key set comes over real HTTP."""

import asyncio
import gzip
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from revocast.dev.broker import certificates
from revocast.dev.broker.topics import create_topics
from revocast.schemas.jose import PrivateKey
from revocast.schemas.keyset import IssuerKeys, KeyEntry, KeyState, Lifetime
from revocast.schemas.row import Slot
from revocast.schemas.selector import Selector
from revocast.schemas.settings import KafkaSettings
from revocast.sdk import (
    AlgorithmNotAllowed,
    ClaimInvalid,
    Guard,
    GuardStale,
    IssuerUnavailable,
    RevocastError,
    SignatureInvalid,
    TokenExpired,
    TokenRevoked,
    UnknownKey,
)
from revocast.sdk.jwks.fetching import MAX_BYTES
from revocast.sdk.jwks.source import AT_ONCE
from revocast.testing import Authority, InMemoryGuard
from revocast.testing.delivery import Delivery, core_for
from revocast.testing.tokens import claims_of, sign_token
from tests.sdk.jwks.idp import ISSUER, FetchingGuard, Idp, answering, foreign_guard, mint
from tests.sdk.jwks.key_sets import jwk_set
from tests.sdk.serving import serving
from tests.sdk.stage import stage, until

pytestmark = pytest.mark.timeout(60)

OTHER = "https://other-idp.test"
DOWN = "http://127.0.0.1:1/jwks"


class Served(Idp):
    """The identity provider, and where it is."""

    url = ""


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    app = Served()
    with serving(app) as url:
        app.url = f"{url}/jwks"
        yield app


@pytest.fixture
def idp(server: Served) -> Served:
    server.reset()
    return server


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def guard(authority: Authority, idp: Served) -> FetchingGuard:
    return foreign_guard(authority, idp.url)


def refused_under_new_key(guard: Guard, authority: Authority, key: PrivateKey) -> UnknownKey:
    with pytest.raises(UnknownKey) as refused:
        guard.verify(mint(authority, key))
    return refused.value


def warnings(guard: Guard) -> str:
    return " ".join(guard.health().warnings)


# --- whose token is good


async def test_a_foreign_token_is_judged_under_its_issuers_keys_and_ours_under_ours(
    authority: Authority, idp: Served, guard: FetchingGuard
) -> None:
    idp.keys.append(PrivateKey.generate("RS256"))
    async with guard.fetching():
        for key in idp.keys:
            assert guard.verify(mint(authority, key))["iss"] == ISSUER
        assert guard.verify(authority.mint())["iss"] == authority.issuer
        with pytest.raises(SignatureInvalid):
            guard.verify(mint(authority, PrivateKey.generate(kid=idp.keys[0].kid)))
        claims = claims_of(mint(authority, idp.keys[0]))
        with pytest.raises(AlgorithmNotAllowed):
            guard.verify(sign_token(claims, idp.keys[0], {"alg": "RS256"}))
    assert len(idp.asked) == 1


async def test_no_issuer_signs_for_another(authority: Authority, idp: Served) -> None:
    theirs = PrivateKey.generate()
    guard = FetchingGuard(authority, jwks={ISSUER: idp.url, OTHER: DOWN})
    guard.publish_jwks(OTHER, theirs)
    async with guard.fetching():
        key = idp.keys[0]
        for wrong in (
            mint(authority, key, issuer=authority.issuer),
            mint(authority, key, issuer=OTHER),
            mint(authority, theirs),
            authority.mint(iss=ISSUER),
            mint(authority, key, issuer=f"{ISSUER}/"),
        ):
            with pytest.raises(ClaimInvalid, match="iss"):
                guard.verify(wrong)


async def test_an_issuer_that_lists_anothers_key_takes_none_of_its_tokens_away(
    authority: Authority, idp: Served
) -> None:
    theirs = PrivateKey.generate()
    for order in ({ISSUER: idp.url, OTHER: DOWN}, {OTHER: DOWN, ISSUER: idp.url}):
        guard = FetchingGuard(authority, jwks=order)
        idp.keys = [theirs, authority.active]
        guard.publish_jwks(OTHER, theirs)
        async with guard.fetching():
            assert guard.verify(mint(authority, theirs, issuer=OTHER))
            assert guard.verify(authority.mint())


async def test_a_foreign_token_lives_no_longer_than_the_deployment_allows(
    authority: Authority, idp: Served, guard: FetchingGuard
) -> None:
    async with guard.fetching():
        allowed = authority.now + authority.max_lifetime
        assert guard.verify(mint(authority, idp.keys[0], exp=allowed))
        with pytest.raises(ClaimInvalid, match="exp"):
            guard.verify(mint(authority, idp.keys[0], exp=allowed + 1))
        token = mint(authority, idp.keys[0], exp=authority.now + 10)
        guard.passed(10 + authority.leeway)
        with pytest.raises(TokenExpired):
            guard.verify(token)


async def test_revocations_on_the_log_name_the_foreign_issuer(
    authority: Authority, idp: Served, guard: FetchingGuard
) -> None:
    async with guard.fetching():
        token = mint(authority, idp.keys[0])
        authority.block(authority.subject("alice"))
        assert guard.verify(token)  # ours, not theirs
        authority.block(Selector.subject(ISSUER, "alice"))
        with pytest.raises(TokenRevoked):
            guard.verify(token)
        bobs = mint(authority, idp.keys[0], sub="bob", jti="b-1")
        assert guard.verify(bobs)
        authority.block(Selector.token(ISSUER, "b-1"))
        with pytest.raises(TokenRevoked):
            guard.verify(bobs)


# --- revoked keys


async def test_a_key_blocked_on_the_log_is_refused_whatever_its_issuer_publishes(
    authority: Authority, idp: Served, guard: FetchingGuard
) -> None:
    stolen, good = idp.keys[0], PrivateKey.generate()
    blocked = Selector(ISSUER, "key", (stolen.kid,))
    async with guard.fetching():
        token = mint(authority, stolen)
        assert guard.verify(token)
        authority.block(blocked)
        for published in ([stolen, good], [good], [stolen, good]):
            idp.keys = published
            before = len(idp.asked)
            guard.passed(900)
            await until(lambda: len(idp.asked) > before)  # noqa: B023
            await until(lambda: guard.health().foreign[ISSUER].keys == len(published))  # noqa: B023
            with pytest.raises((TokenRevoked, UnknownKey)):
                guard.verify(mint(authority, stolen))
        with pytest.raises(TokenRevoked):
            guard.verify(mint(authority, stolen))
        authority.lift(blocked, Slot.BLOCK)
        assert guard.verify(mint(authority, stolen))


async def test_a_kid_that_the_signed_key_set_named_revoked_never_verifies_again(
    authority: Authority, idp: Served, guard: FetchingGuard
) -> None:
    stolen = idp.keys[0]
    authority.foreign[ISSUER] = signed_keys(authority, stolen, KeyState.REVOKED)
    authority.publish_key_set()
    authority.foreign.clear()
    authority.publish_key_set()
    async with guard.fetching():
        with pytest.raises(TokenRevoked):
            guard.verify(mint(authority, stolen))


async def test_the_signed_key_set_wins_over_the_fetched_one(
    authority: Authority, idp: Served, guard: FetchingGuard
) -> None:
    signed = PrivateKey.generate()
    async with guard.fetching():
        assert guard.verify(mint(authority, idp.keys[0]))
        authority.foreign[ISSUER] = signed_keys(authority, signed, KeyState.ACTIVE)
        authority.publish_key_set()
        assert guard.verify(mint(authority, signed))
        assert refused_under_new_key(guard, authority, idp.keys[0]).refreshing is None
        assert "has no effect" in warnings(guard)
    assert len(idp.asked) == 1


def signed_keys(authority: Authority, key: PrivateKey, state: KeyState) -> IssuerKeys:
    entry = KeyEntry(jwk=dict(key.public.jwk), state=state)
    lifetime = Lifetime(since=authority.now - 86400, max_lifetime=authority.max_lifetime)
    return IssuerKeys(issuer=ISSUER, lifetimes=(lifetime,), keys=(entry,))


# --- unknown kids


async def test_an_unknown_kid_is_refused_now_and_fetched_in_the_background(
    authority: Authority, idp: Served, guard: FetchingGuard
) -> None:
    async with guard.fetching():
        idp.keys.append(PrivateKey.generate())
        refused = refused_under_new_key(guard, authority, idp.keys[-1])
        assert refused.refreshing == ISSUER
        assert refused.headers()["Retry-After"] == "1"
        await until(lambda: guard.health().foreign[ISSUER].keys == 2)
        assert guard.verify(mint(authority, idp.keys[-1]))


async def test_who_can_wait_waits_for_the_fetch(
    authority: Authority, idp: Served, guard: FetchingGuard
) -> None:
    async with guard.fetching():
        idp.keys.append(PrivateKey.generate())
        assert await guard.averify(mint(authority, idp.keys[-1]))
        with pytest.raises(UnknownKey):
            await guard.averify(mint(authority, PrivateKey.generate()))


@pytest.mark.parametrize("alg", ["EdDSA", "ES256"])
async def test_a_new_key_whose_kid_another_issuer_has_is_fetched_too(
    authority: Authority, idp: Served, guard: FetchingGuard, alg: str
) -> None:
    async with guard.fetching():
        idp.keys.append(PrivateKey.generate(alg, kid=authority.active.kid))
        assert await guard.averify(mint(authority, idp.keys[-1]))
        assert guard.verify(authority.mint())
        with pytest.raises(SignatureInvalid):
            await guard.averify(mint(authority, PrivateKey.generate(alg, kid=authority.active.kid)))
    assert len(idp.asked) == 2


async def test_a_thread_that_verifies_wakes_the_fetch_too(
    authority: Authority, idp: Served, guard: FetchingGuard
) -> None:
    async with guard.fetching():
        idp.keys.append(PrivateKey.generate())
        await asyncio.to_thread(refused_under_new_key, guard, authority, idp.keys[-1])
        await until(lambda: guard.health().foreign[ISSUER].keys == 2)


async def test_a_herd_under_made_up_kids_costs_its_issuer_a_request_or_two(
    authority: Authority, idp: Served, guard: FetchingGuard
) -> None:
    key = PrivateKey.generate()
    herd = [sign_token(claims_of(mint(authority, key)), key, {"kid": f"made-up-{n}"}) for n in range(1000)]
    async with guard.fetching():
        answers = await asyncio.gather(*(guard.averify(token) for token in herd), return_exceptions=True)
        assert all(isinstance(answer, UnknownKey) for answer in answers)
        for token in herd:
            with pytest.raises(UnknownKey):
                guard.verify(token)
        assert len(idp.asked) <= 1 + AT_ONCE
        assert idp.most == 1
        idp.keys.append(PrivateKey.generate())
        guard.passed(60)
        await until(lambda: guard.health().foreign[ISSUER].next_refresh > 0)
        assert await guard.averify(mint(authority, idp.keys[-1]))


async def test_what_would_be_refused_under_any_key_asks_for_nothing(
    authority: Authority, idp: Served, guard: FetchingGuard
) -> None:
    key = PrivateKey.generate()
    async with guard.fetching():
        for token in (
            mint(authority, key, aud="billing"),
            mint(authority, key, exp=authority.now - 100, iat=authority.now - 200),
            mint(authority, key, issuer="https://nobody.test"),
            authority.mint(key=key),
        ):
            with pytest.raises(UnknownKey) as refused:
                await guard.averify(token)
            assert refused.value.refreshing is None
    assert len(idp.asked) == 1


async def test_no_url_in_a_token_is_asked(authority: Authority, idp: Served, guard: FetchingGuard) -> None:
    stranger = PrivateKey.generate()
    elsewhere = Idp()
    with serving(elsewhere) as url:
        async with guard.fetching():
            for header in ({"jku": f"{url}/jwks"}, {"x5u": url}, {"jwk": dict(stranger.public.jwk)}):
                token = sign_token(claims_of(mint(authority, stranger)), stranger, header)
                with pytest.raises(UnknownKey):
                    await guard.averify(token)
            with pytest.raises(UnknownKey):
                await guard.averify(mint(authority, stranger, issuer=url))
    assert elsewhere.asked == []


# --- answers


async def test_a_set_that_has_not_changed_is_not_sent_again(
    authority: Authority, idp: Served, guard: FetchingGuard
) -> None:
    idp.headers = {"cache_control": "max-age=100", "age": "20"}
    async with guard.fetching():
        assert guard.health().foreign[ISSUER].usable_for == 80 + 3600
        guard.passed(80)
        await until(lambda: guard.health().counters.get("jwks.unchanged") == 1)
        assert "if-none-match" not in idp.asked[0]
        assert "if-none-match" in idp.asked[1]
        idp.keys.append(PrivateKey.generate())
        guard.passed(80)
        await until(lambda: guard.health().counters.get("jwks.fetched") == 2)
        assert guard.verify(mint(authority, idp.keys[-1]))


async def test_a_key_that_is_not_published_any_more_is_refused_also_for_remembered_tokens(
    authority: Authority, idp: Served, guard: FetchingGuard
) -> None:
    async with guard.fetching():
        old, idp.keys = idp.keys[0], [PrivateKey.generate()]
        token = mint(authority, old, exp=authority.now + 3000)
        assert guard.verify(token)
        guard.passed(240)
        await until(lambda: guard.health().counters.get("jwks.fetched") == 2)
        with pytest.raises(UnknownKey):
            guard.verify(token)


BOMB = gzip.compress(b'{"keys": [' + b" " * 100_000_000 + b"]}", 1)


@pytest.mark.parametrize(
    ("status", "body", "headers", "why"),
    [
        (500, b"", {}, "HTTP status 500"),
        (404, b"{}", {}, "HTTP status 404"),
        (204, b"", {}, "HTTP status 204"),
        (302, b"", {"location": "/elsewhere"}, "redirects are not followed"),
        (301, b"", {"location": "https://evil.example/jwks"}, "redirects are not followed"),
        (200, b"<html>", {}, "not strict JSON"),
        (200, b"", {}, "not strict JSON"),
        (200, b"[]", {}, "not a JWK Set"),
        (200, b'{"keys": "none"}', {}, "not a JWK Set"),
        (200, jwk_set(*[{}] * 65), {}, "more than 64 keys"),
        (200, b" " * (MAX_BYTES + 1), {}, "longer than"),
        (200, BOMB, {"content_encoding": "gzip"}, "is compressed"),
    ],
)
async def test_what_is_no_key_set_changes_nothing_and_is_said(
    authority: Authority, idp: Served, guard: FetchingGuard, status: int, body: bytes, headers: Any, why: str
) -> None:
    async with guard.fetching():
        idp.fault = answering(status, body, **headers)
        guard.passed(240)
        await until(lambda: guard.health().foreign[ISSUER].failures == 1)
        assert why in guard.health().foreign[ISSUER].last_error
        assert why in warnings(guard)
        assert guard.verify(mint(authority, idp.keys[0]))
        idp.fault = None
        guard.passed(1)
        await until(lambda: guard.health().foreign[ISSUER].failures == 0)
        assert guard.health().warnings == ()


async def test_unchanged_is_no_answer_to_who_has_nothing(authority: Authority, idp: Served) -> None:
    idp.fault = answering(304)
    guard = foreign_guard(authority, idp.url)
    async with guard.fetching():
        assert guard.health().foreign[ISSUER].last_error == "HTTP status 304"


async def test_an_answer_that_drips_is_given_up_in_time(authority: Authority, idp: Served) -> None:
    gone = threading.Event()

    async def drips(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not gone.is_set():  # a byte now and then would hold off a timeout between bytes for ever
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
            await asyncio.sleep(0.02)

    idp.fault = drips
    guard = foreign_guard(authority, idp.url, jwks_timeout=0.2)
    async with guard.fetching():
        try:
            await until(lambda: guard.health().foreign[ISSUER].failures == 1)
        finally:
            gone.set()
        assert guard.health().foreign[ISSUER].last_error == "no answer in time"


async def test_refused_keys_are_counted_and_said(
    authority: Authority, idp: Served, guard: FetchingGuard
) -> None:
    idp.body = jwk_set(*idp.keys, {"kty": "oct", "k": "c2VjcmV0LXNlY3JldA", "kid": "h"})
    async with guard.fetching():
        assert guard.health().foreign[ISSUER].refused == 1
        assert "symmetric" in warnings(guard)
        assert "c2VjcmV0" not in str(guard.health())


# --- outages


async def test_an_issuer_that_is_down_at_the_start_is_unavailable_and_ours_works(
    authority: Authority, idp: Served, guard: FetchingGuard
) -> None:
    idp.fault = answering(503)
    async with guard.fetching():
        assert guard.verify(authority.mint())
        token = mint(authority, idp.keys[0])
        with pytest.raises(IssuerUnavailable, match="HTTP status 503") as refused:
            guard.verify(token)
        assert (refused.value.status, refused.value.retry_after) == (503, 2)
        assert "HTTP status" not in refused.value.description  # that is for the service's own people
        assert "so its tokens are refused" in warnings(guard)
        assert not guard.health().foreign[ISSUER].usable
        idp.fault = None
        guard.passed(1)
        await until(lambda: guard.health().foreign[ISSUER].usable)
        assert guard.verify(token)


@pytest.mark.parametrize("policy", ["deny", "allow", "introspect"])
async def test_after_the_outage_bound_the_policy_acts(authority: Authority, idp: Served, policy: Any) -> None:
    more = {"client_id": "c", "client_secret": "s"} if policy == "introspect" else {}
    guard = foreign_guard(authority, idp.url, policy=policy, jwks_outage=600.0, **more)
    async with guard.fetching():
        idp.fault = answering(503)
        guard.passed(899)
        assert guard.verify(mint(authority, idp.keys[0]))
        guard.passed(1)
        token = mint(authority, idp.keys[0])
        assert guard.verify(token, freshness="allow")
        with pytest.raises(IssuerUnavailable):
            guard.verify(token, freshness="deny")
        if policy == "allow":
            assert await guard.averify(token)
        else:
            with pytest.raises(IssuerUnavailable):
                await guard.averify(token)
        assert guard.verify(authority.mint())


async def test_our_own_issuer_is_not_asked_about_foreign_tokens(authority: Authority, idp: Served) -> None:
    credentials = {"client_id": "c", "client_secret": "s", "introspection_endpoint": DOWN}
    guard = foreign_guard(authority, idp.url, policy="introspect", **credentials)
    async with guard.fetching():
        authority.now += 4000  # it hears nothing of the deployment's issuer, which knows nothing of theirs
        with pytest.raises(GuardStale):
            await guard.averify(mint(authority, idp.keys[0]))
        assert not any(name.startswith("introspection.") for name in guard.health().counters)


async def test_a_second_url_answers_when_the_first_does_not(authority: Authority, idp: Served) -> None:
    guard = foreign_guard(authority, DOWN, idp.url)
    async with guard.fetching():
        assert guard.verify(mint(authority, idp.keys[0]))
        guard.passed(240)
        await until(lambda: guard.health().counters.get("jwks.unchanged") == 1)
        idp.fault = answering(503)
        guard.passed(240)
        await until(lambda: guard.health().foreign[ISSUER].failures == 1)
        assert "cannot be reached" in guard.health().foreign[ISSUER].last_error
        assert "then: HTTP status 503" in guard.health().foreign[ISSUER].last_error


async def test_keys_come_only_from_whom_the_configured_authority_has_certified(
    authority: Authority, idp: Served, tmp_path: Path
) -> None:
    certified = certificates.Authority(tmp_path / "tls")
    shown = certified.issue("idp", hosts=certificates.LOOPBACK)
    options: dict[str, Any] = {"ssl_certfile": str(shown.certificate), "ssl_keyfile": str(shown.key)}
    other = certificates.Authority(tmp_path / "other").ca
    trusts: list[tuple[dict[str, Any], bool]] = [
        ({"jwks_ca": certified.ca}, True),
        ({"tls_ca": certified.ca}, True),
        ({"tls_ca": certified.ca, "jwks_ca": other}, False),
        ({}, False),
    ]
    with serving(idp, **options) as url:
        for more, trusted in trusts:
            guard = foreign_guard(authority, f"{url}/jwks", **more)
            async with guard.fetching():
                health = guard.health().foreign[ISSUER]
                assert health.usable is trusted, health
                assert trusted or "certificate is not trusted" in health.last_error


async def test_a_core_that_takes_over_has_the_foreign_keys_from_the_first_request_on(
    authority: Authority, idp: Served, guard: FetchingGuard
) -> None:
    async with guard.fetching():
        successor = Delivery(authority, core_for(authority, foreign=[ISSUER]))
        successor.deliver()
        guard._replace(successor.core)
        assert guard.verify(mint(authority, idp.keys[0]))


# --- a guard on Kafka


async def test_a_guard_is_started_when_it_has_read_the_foreign_keys_too(
    idp: Served, kafka: str, prefix: str, tmp_path: Path
) -> None:
    authority = Authority(now=int(time.time()))
    topics = KafkaSettings(kafka=kafka, prefix=prefix).topics
    await create_topics(topics, kafka)
    options: dict[str, Any] = {
        "kafka": kafka,
        "prefix": prefix,
        "root": authority.pin,
        "state_dir": tmp_path,
        "jwks": {ISSUER: idp.url, OTHER: DOWN},
    }
    async with stage(authority, topics, kafka):
        guard = Guard(authority.issuer, authority.audience, **options)
        for _ in range(2):  # it may be started again
            async with guard:
                assert guard.verify(mint(authority, idp.keys[0]))
                with pytest.raises(IssuerUnavailable):
                    guard.verify(mint(authority, PrivateKey.generate(), issuer=OTHER))
                assert guard.verify(authority.mint())
        with pytest.raises(RevocastError):
            guard.verify(mint(authority, idp.keys[0]))
    assert not [task for task in asyncio.all_tasks() if "keys of" in task.get_name()]


# --- services' own tests


def test_a_services_tests_publish_foreign_keys_without_http(authority: Authority) -> None:
    guard, key = InMemoryGuard(authority, jwks={ISSUER: "https://idp.test/jwks"}), PrivateKey.generate()
    guard.publish_jwks(ISSUER, key)
    assert guard.verify(mint(authority, key))["iss"] == ISSUER
    guard.publish_jwks(ISSUER, PrivateKey.generate())
    with pytest.raises(UnknownKey):
        guard.verify(mint(authority, key))
