"""Asking the real issuer over real HTTP, while what the guard knows is too old. A front door of the issuer's can be blocked."""

import asyncio
import gzip
import json
import logging
import secrets
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, Security

from revocast.dev.broker import certificates
from revocast.schemas.jose import PrivateKey
from revocast.sdk import (
    ClaimInvalid,
    Claims,
    Guard,
    GuardClosed,
    GuardNotReady,
    GuardStale,
    GuardUnavailable,
    InsufficientScope,
    SettingsError,
    SignatureInvalid,
    TokenExpired,
    TokenInactive,
    TokenMalformed,
    TokenRevoked,
    introspection,
)
from revocast.sdk.clock import Instant
from revocast.sdk.integrations.asgi import RevocastMiddleware
from revocast.testing import Authority, InMemoryGuard
from revocast.testing.tokens import claims_of, sign_token
from tests.sdk.lone_issuer import Front, LoneIssuer, answering, lone_issuer
from tests.sdk.serving import serving
from tests.sdk.stage import until, until_done
from tests.sdk.test_asgi import app as asgi_app

pytestmark = pytest.mark.timeout(60)


class Known:
    """What the guards have read before the relay went away."""

    blocked = ""


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory, kafka: str) -> Iterator[LoneIssuer]:
    def prepare(issuer: LoneIssuer) -> None:
        Known.blocked = issuer.mint("mallory")
        issuer.block("mallory")

    folder = tmp_path_factory.mktemp("lone")
    with lone_issuer(folder, kafka, f"test-{secrets.token_hex(6)}", prepare) as issuer:
        yield issuer


@pytest.fixture
def front(issuer: LoneIssuer) -> Front:
    """The issuer's front door, open, and nobody has asked yet."""
    issuer.front.reset()
    return issuer.front


class Aging:
    """A clock whose monotonic half a test moves: then the newest checkpoint is old, and no token has expired."""

    def __init__(self) -> None:
        self.passed = 0.0

    def __call__(self) -> Instant:
        return Instant(time.time(), time.monotonic() + self.passed)


@pytest.fixture
def clock() -> Aging:
    return Aging()


@pytest.fixture
async def stale(issuer: LoneIssuer, front: Front, clock: Aging, tmp_path: Path) -> AsyncIterator[Guard]:
    """A guard that has read everything, and has heard nothing of the issuer for more than an hour since."""
    async with issuer.guard(tmp_path, clock=clock) as guard:
        clock.passed = 4000
        with pytest.raises(GuardStale):
            guard.verify(issuer.mint(), freshness="deny")
        yield guard


# --- whose word counts


async def test_a_guard_that_is_current_asks_nobody(issuer: LoneIssuer, front: Front, tmp_path: Path) -> None:
    async with issuer.guard(tmp_path) as guard:
        assert (await guard.averify(issuer.mint(), scopes=["read"])).subject == "alice"
    assert front.asked == 0


async def test_the_issuers_yes_brings_the_claims(issuer: LoneIssuer, front: Front, stale: Guard) -> None:
    token = issuer.mint()
    claims = await stale.averify(token, scopes=["read"])
    assert claims.to_dict() == claims_of(token)
    assert front.asked == 1
    assert stale.health().counters["introspection.active"] == 1


async def test_a_revocation_that_is_not_published_yet_is_seen(
    issuer: LoneIssuer, front: Front, stale: Guard
) -> None:
    token = issuer.mint("bob")
    issuer.block("bob")
    with pytest.raises(TokenInactive) as refused:
        await stale.averify(token)
    assert refused.value.status == 401
    assert stale.health().counters["introspection.inactive"] == 1
    assert stale.health().counters["refused.token_inactive"] == 1
    issuer.lift("bob")


async def test_what_the_guard_knows_is_refused_unasked_and_no_answer_revives_it(
    issuer: LoneIssuer, front: Front, stale: Guard
) -> None:
    front.fault = answering(200, json.dumps({**claims_of(Known.blocked), "active": True}).encode())
    with pytest.raises(TokenRevoked):
        await stale.averify(Known.blocked)
    assert front.asked == 0


async def test_only_what_the_issuer_might_know_better_is_asked(
    issuer: LoneIssuer, front: Front, stale: Guard
) -> None:
    token = issuer.mint()
    head, _, signature = token.rpartition(".")
    forged = f"{head}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"
    for bad, error in (
        ("x", TokenMalformed),
        (forged, SignatureInvalid),
        (issuer.mint(audience="billing"), ClaimInvalid),
    ):
        with pytest.raises(error):
            await stale.averify(bad)
    assert front.asked == 0
    with pytest.raises(InsufficientScope):
        await stale.averify(token, scopes=["admin"])


async def test_without_waiting_nobody_is_asked_and_the_remedy_says_how(
    issuer: LoneIssuer, front: Front, stale: Guard
) -> None:
    with pytest.raises(GuardStale, match=r"await guard\.averify"):
        stale.verify(issuer.mint())
    assert front.asked == 0


async def test_a_client_that_may_not_ask_about_this_audience_gets_no_yes(
    issuer: LoneIssuer, front: Front, clock: Aging, tmp_path: Path
) -> None:
    other_id, other_secret = issuer.register_client(access={}, introspects=["billing"])
    async with issuer.guard(tmp_path, clock=clock, client_id=other_id, client_secret=other_secret) as guard:
        clock.passed = 4000
        with pytest.raises(TokenInactive):
            await guard.averify(issuer.mint())


# --- before the first start, and after the end


async def test_before_it_was_ready_the_issuer_alone_is_asked(
    issuer: LoneIssuer, front: Front, tmp_path: Path
) -> None:
    guard = issuer.guard(tmp_path, kafka="127.0.0.1:1")
    good, elsewhere = issuer.mint(), issuer.mint(audience="billing")
    with pytest.raises(GuardNotReady):
        await guard.averify(good)  # not before somebody has started it, and will stop it
    starting = asyncio.create_task(guard.start())
    await until(lambda: guard._task is not None)
    assert (await guard.averify(good, scopes=["read"])).subject == "alice"
    with pytest.raises(TokenInactive):
        await guard.averify(Known.blocked)
    with pytest.raises(TokenInactive):
        await guard.averify(sign_token(claims_of(good), PrivateKey.generate()))
    asked = front.asked
    for bad, error in ((elsewhere, ClaimInvalid), ("x", TokenMalformed)):
        with pytest.raises(error):  # the issuer's yes would say nothing about whom the token is for
            await guard.averify(bad)
    assert front.asked == asked
    with pytest.raises(GuardNotReady):
        await guard.averify(good, freshness="allow")
    with pytest.raises(InsufficientScope):
        await guard.averify(good, scopes=["admin"])
    starting.cancel()
    await guard.stop()
    with pytest.raises(GuardUnavailable):
        await guard.averify(good)
    assert front.asked == asked


async def test_after_the_end_nobody_is_asked(issuer: LoneIssuer, front: Front, tmp_path: Path) -> None:
    async with issuer.guard(tmp_path) as guard:
        pass
    with pytest.raises(GuardClosed):
        await guard.averify(issuer.mint())
    assert front.asked == 0


# --- no answer is a refusal


OTHER: dict[str, Any] = {"active": True, "sub": "somebody else", "exp": 4_000_000_000}


@pytest.mark.parametrize(
    ("status", "body", "tries", "why"),
    [
        (500, b"", 2, "HTTP status 500"),
        (503, b"{}", 2, "HTTP status 503"),
        (429, b"{}", 2, "HTTP status 429"),
        (401, b"{}", 1, "refuses this client"),
        (404, b"{}", 1, "HTTP status 404"),
        (302, b"", 1, "HTTP status 302"),
        (200, b"", 1, "not strict JSON"),
        (200, b"active", 1, "not strict JSON"),
        (200, b'{"active": false, "active": true}', 1, "not strict JSON"),
        (200, b"[]", 1, "not an object"),
        (200, b"{}", 1, "not an introspection response"),
        (200, b'{"active": "true"}', 1, "not an introspection response"),
        (200, b'{"active": 1}', 1, "not an introspection response"),
        (200, b'{"active": true}', 1, "about another token"),
        (200, json.dumps(OTHER).encode(), 1, "about another token"),
        (200, b'{"active": true, "x": "' + b"x" * 70_000 + b'"}', 1, "too long"),
    ],
)
async def test_what_is_no_answer_refuses(
    issuer: LoneIssuer, front: Front, stale: Guard, status: int, body: bytes, tries: int, why: str
) -> None:
    front.fault = answering(status, body, location=f"{issuer.url}/oauth/introspect")
    with pytest.raises(GuardStale, match=why) as refused:
        await stale.averify(issuer.mint())
    assert refused.value.status == 503
    assert front.asked == tries
    front.reset()
    assert await stale.averify(issuer.mint())


async def test_an_answer_is_measured_as_it_was_sent_so_none_unpacks_to_gigabytes(
    issuer: LoneIssuer, front: Front, stale: Guard
) -> None:
    whole = json.dumps({"active": False}).encode()
    front.fault = answering(200, gzip.compress(whole), **{"content-encoding": "gzip"})
    with pytest.raises(GuardStale, match="is compressed"):
        await stale.averify(issuer.mint())
    front.fault = answering(200, whole, **{"content-encoding": "identity"})
    with pytest.raises(TokenInactive):
        await stale.averify(issuer.mint())


@pytest.mark.parametrize("endpoint", ["https://127.0.0.1:99999/", "https://xn--/"])
async def test_an_endpoint_that_cannot_be_refuses(
    issuer: LoneIssuer, clock: Aging, tmp_path: Path, endpoint: str
) -> None:
    async with issuer.guard(tmp_path, clock=clock, introspection_endpoint=endpoint) as guard:
        clock.passed = 4000
        with pytest.raises(GuardStale, match="cannot be reached"):
            await guard.averify(issuer.mint())


async def test_a_no_is_a_no_whatever_is_beside_it(issuer: LoneIssuer, front: Front, stale: Guard) -> None:
    token = issuer.mint()
    front.fault = answering(200, json.dumps({**claims_of(token), "active": False}).encode())
    with pytest.raises(TokenInactive):
        await stale.averify(token)
    front.reset()
    assert await stale.averify(token)  # and is not kept, either


@pytest.mark.parametrize(("name", "value"), [("token_type", "mac"), ("token_type", 1)])
async def test_a_yes_about_another_kind_of_token_is_none(
    issuer: LoneIssuer, front: Front, stale: Guard, name: str, value: object
) -> None:
    token = issuer.mint()
    front.fault = answering(200, json.dumps({**claims_of(token), "active": True, name: value}).encode())
    with pytest.raises(GuardStale, match="another type of token"):
        await stale.averify(token)


async def test_an_answer_that_comes_too_late_is_none(
    issuer: LoneIssuer, front: Front, clock: Aging, tmp_path: Path
) -> None:
    gone = threading.Event()

    async def drips(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not gone.is_set():  # a byte now and then would hold off a timeout between bytes for ever
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
            await asyncio.sleep(0.02)
        await send({"type": "http.response.body", "body": b""})

    front.fault = drips
    async with issuer.guard(tmp_path, clock=clock, introspection_timeout=0.2) as guard:
        clock.passed = 4000
        token, began = issuer.mint(), time.monotonic()
        try:
            with pytest.raises(GuardStale, match="did not answer in time"):
                await guard.averify(token)
            assert time.monotonic() - began < 10
            assert front.asked <= 2
        finally:
            gone.set()
        await until(lambda: "did not answer in time" in " ".join(guard.health().warnings))
        front.reset()

        async def answered() -> bool:
            try:
                return bool(await guard.averify(token))
            except GuardStale:
                return False  # a busy machine may take longer than this guard waits

        await until_done(answered)
        assert not any("in time" in warning for warning in guard.health().warnings)


async def test_an_issuer_that_is_gone_refuses(
    issuer: LoneIssuer, front: Front, clock: Aging, tmp_path: Path
) -> None:
    async with issuer.guard(
        tmp_path, clock=clock, introspection_endpoint="http://127.0.0.1:1/introspect"
    ) as guard:
        clock.passed = 4000
        with pytest.raises(GuardStale, match="cannot be reached"):
            await guard.averify(issuer.mint())


async def test_the_token_goes_to_whom_the_configured_authority_has_certified_and_to_nobody_else(
    issuer: LoneIssuer, front: Front, clock: Aging, tmp_path: Path
) -> None:
    certified = certificates.Authority(tmp_path / "tls")
    shown = certified.issue("issuer", hosts=certificates.LOOPBACK)
    options: dict[str, Any] = {
        "ssl_certfile": str(shown.certificate),
        "ssl_keyfile": str(shown.key),
        "lifespan": "off",
    }
    with serving(front, **options) as url:
        for ca, answers in ((certified.ca, True), (None, False)):
            more = {"tls_ca": ca} if ca else {}
            endpoint = f"{url}/oauth/introspect"
            async with issuer.guard(tmp_path, clock=clock, introspection_endpoint=endpoint, **more) as guard:
                clock.passed = 4000
                asked, token = front.asked, issuer.mint()
                if answers:
                    assert await guard.averify(token)
                else:
                    with pytest.raises(GuardStale, match="cannot be reached"):
                        await guard.averify(token)
                    assert front.asked == asked
            clock.passed = 0


async def test_a_wrong_secret_refuses(issuer: LoneIssuer, front: Front, clock: Aging, tmp_path: Path) -> None:
    async with issuer.guard(tmp_path, clock=clock, client_secret="wrong") as guard:
        clock.passed = 4000
        with pytest.raises(GuardStale, match="REVOCAST_CLIENT_SECRET"):
            await guard.averify(issuer.mint())


# --- how much is asked


async def test_requests_with_one_token_share_a_question_and_its_yes_for_a_moment(
    issuer: LoneIssuer, front: Front, stale: Guard, clock: Aging
) -> None:
    token = issuer.mint()
    first = asyncio.create_task(stale.averify(token))
    others = [asyncio.create_task(stale.averify(token)) for _ in range(30)]
    await asyncio.sleep(0)
    first.cancel()  # a client that goes away takes nobody's answer along
    assert {(await other).subject for other in others} == {"alice"}
    assert await stale.averify(token)
    assert front.asked == 1
    clock.passed += introspection.KEPT_SECONDS + 0.1
    assert await stale.averify(token)
    assert front.asked == 2


async def test_a_no_is_not_kept(issuer: LoneIssuer, front: Front, stale: Guard) -> None:
    token = issuer.mint("carol")
    issuer.block("carol")
    with pytest.raises(TokenInactive):
        await stale.averify(token)
    issuer.lift("carol")
    assert await stale.averify(token)


async def test_few_are_asked_at_once_and_strangers_take_half_of_the_places(
    issuer: LoneIssuer, front: Front, stale: Guard
) -> None:
    slow = answering(503)

    async def slowly(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.05)
        await slow(scope, receive, send)

    key, claims = PrivateKey.generate(), claims_of(issuer.mint())
    strangers = [sign_token({**claims, "jti": f"made-up-{n}"}, key) for n in range(40)]
    await stale.averify(issuer.mint())  # the endpoint is known from here on
    front.fault, front.most = slowly, 0
    await asyncio.gather(*(stale.averify(token) for token in strangers), return_exceptions=True)
    assert 0 < front.most <= introspection.PLACES // 2


async def test_after_failures_the_issuer_is_spared_then_one_question_finds_out(
    issuer: LoneIssuer, front: Front, clock: Aging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("circuitbreaker.monotonic", lambda: clock().monotonic)
    tokens = [issuer.mint(f"user-{n}") for n in range(8)]
    async with issuer.guard(tmp_path, clock=clock) as guard:
        clock.passed = 4000

        async def refusals() -> list[str]:
            answers = await asyncio.gather(*map(guard.averify, tokens), return_exceptions=True)
            return [str(answer) for answer in answers if not isinstance(answer, Claims)]

        front.fault = answering(503)
        assert len(await refusals()) == len(tokens)
        asked = front.asked
        refused = await refusals()
        assert len(refused) == len(tokens)
        spared = "not asked for a while, since: the issuer answers with HTTP status 503"
        assert [why for why in refused if spared not in why] == []
        assert front.asked == asked  # open
        assert guard.health().counters["introspection.not_asked"] >= len(tokens)
        clock.passed += introspection.RECOVERY_SECONDS
        assert len(await refusals()) == len(tokens)
        assert front.asked == asked + 1  # half open: one of eight, which failed, and it is open again
        front.reset()
        clock.passed += introspection.RECOVERY_SECONDS
        assert await guard.averify(tokens[0])
        assert await refusals() == []  # closed


# --- what is read meanwhile


class Held:
    """The front door of an issuer that vouches for every token, once the test lets it."""

    def __init__(self) -> None:
        self.asked, self.go_on = threading.Event(), threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "GET":
            await answering(404)(scope, receive, send)  # no metadata: the endpoint is where ours has it
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        self.asked.set()
        await asyncio.to_thread(self.go_on.wait, 10)
        token = httpx.QueryParams(body.decode())["token"]
        answer = json.dumps({**claims_of(token), "active": True}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": answer})


def asking(authority: Authority) -> InMemoryGuard:
    return InMemoryGuard(
        authority, policy="introspect", client_id="c", client_secret="s", introspection_timeout=10
    )


@pytest.mark.parametrize("again_current", [True, False])
async def test_the_guard_has_the_last_word_on_what_it_read_while_the_issuer_was_asked(
    again_current: bool,
) -> None:
    held = Held()
    with serving(_without_lifespan(held)) as url:
        authority = Authority(url)
        async with asking(authority) as guard:
            token, good = authority.mint(), authority.mint(sub="bob")
            authority.now += 100
            verdict = asyncio.create_task(guard.averify(token))
            await until(held.asked.is_set)
            authority.block(authority.subject("alice"))  # its record brings the guard up to date
            if not again_current:
                authority.now += 100
            held.go_on.set()
            with pytest.raises(TokenRevoked):
                await verdict
            assert (await guard.averify(good)).subject == "bob"
            authority.now += 300
            with pytest.raises(TokenExpired):
                await guard.averify(good)


async def test_who_waits_when_the_guard_is_stopped_is_refused() -> None:
    held = Held()
    with serving(_without_lifespan(held)) as url:
        authority = Authority(url)
        async with asking(authority) as guard:
            token = authority.mint()
            authority.now += 100
            verdict = asyncio.create_task(guard.averify(token))
            await until(held.asked.is_set)
        with pytest.raises(GuardStale, match="was stopped"):
            await verdict
        held.go_on.set()


async def test_a_distrusted_issuer_vouches_for_nothing() -> None:
    held = Held()
    held.go_on.set()
    with serving(_without_lifespan(held)) as url:
        authority = Authority(url)
        async with asking(authority) as guard:
            stranger = sign_token(claims_of(authority.mint()), PrivateKey.generate())
            authority.distrust(issuer=True)
            authority.now += 100
            for token in (authority.mint(), stranger):
                with pytest.raises(TokenRevoked):
                    await guard.averify(token)
            assert not held.asked.is_set()


def _without_lifespan(app: Any) -> Any:
    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await asgi_app(scope, receive, send)
        else:
            await app(scope, receive, send)

    return wrapped


# --- in services


async def test_each_route_has_its_own_policy(issuer: LoneIssuer, front: Front, stale: Guard) -> None:
    service = FastAPI()
    for policy in ("deny", "allow", "introspect", None):

        @service.get(f"/{policy}")
        async def route(
            claims: Annotated[Claims, Security(stale.required(freshness=policy), scopes=["read"])],
        ) -> str:
            return claims.subject

    transport = httpx.ASGITransport(service)
    middleware = httpx.ASGITransport(RevocastMiddleware(asgi_app, stale, freshness="introspect"))
    headers = {"Authorization": f"Bearer {issuer.mint()}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers) as client:
        statuses = {path: (await client.get(f"/{path}")).status_code for path in ("deny", "allow")}
        assert (statuses, front.asked) == ({"deny": 503, "allow": 200}, 0)
        assert (await client.get("/introspect")).json() == "alice"
        assert (await client.get("/None")).status_code == 200  # as the guard
        front.fault = answering(503)
        other = {"Authorization": f"Bearer {issuer.mint()}"}
        answer = await client.get("/introspect", headers=other)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert answer.json()["detail"]["description"] == "What the guard knows is too old."
        front.reset()
    async with httpx.AsyncClient(transport=middleware, base_url="http://service") as client:
        assert (await client.get("/", headers=headers)).json() == "alice"


def test_a_guard_in_a_thread_of_its_own_is_asked_from_any_loop(
    issuer: LoneIssuer, front: Front, clock: Aging, tmp_path: Path
) -> None:
    with issuer.guard(tmp_path, clock=clock) as guard:
        clock.passed = 4000
        for _ in range(2):
            assert asyncio.run(guard.averify(issuer.mint())).subject == "alice"
    with pytest.raises(GuardClosed):
        asyncio.run(guard.averify(issuer.mint()))


def test_introspection_needs_credentials_and_a_protected_way(tmp_path: Path) -> None:
    given: dict[str, Any] = {"issuer": "https://issuer.test", "audience": "orders", "kafka": "kafka:9092"}
    secret: dict[str, Any] = {"client_id": "c", "client_secret": "s"}
    with pytest.raises(SettingsError, match="REVOCAST_CLIENT_ID"):
        Guard(**given, policy="introspect")
    with pytest.raises(SettingsError, match="REVOCAST_CLIENT_SECRET"):
        Guard(**given, client_id="c").required(freshness="introspect")
    with pytest.raises(SettingsError, match=r"REVOCAST_ISSUER: must be an https URL"):
        Guard(**{**given, "issuer": "http://issuer.test"}, **secret, policy="introspect")
    with pytest.raises(SettingsError, match=r"REVOCAST_INTROSPECTION_ENDPOINT: must be an https URL"):
        Guard(**given, **secret, policy="introspect", introspection_endpoint="http://10.0.0.1/")
    with pytest.raises(SettingsError, match="deny, allow, introspect"):
        Guard(**given).required(freshness="ask")  # type: ignore[arg-type]
    (tmp_path / "secret").write_text("s\n")
    environ = {f"REVOCAST_{name.upper()}": value for name, value in given.items()}
    environ |= {"REVOCAST_CLIENT_ID": "c", "REVOCAST_CLIENT_SECRET_FILE": str(tmp_path / "secret")}
    guard = Guard.from_env({**environ, "REVOCAST_POLICY": "introspect"})
    assert guard.settings.client_secret is not None
    assert guard.settings.client_secret.get_secret_value() == "s"


async def test_neither_token_nor_secret_is_logged(
    issuer: LoneIssuer, front: Front, stale: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    token = issuer.mint()
    with caplog.at_level(logging.DEBUG):
        await stale.averify(token)
        front.fault = answering(503)
        with pytest.raises(GuardStale):
            await stale.averify(issuer.mint())
    for hidden in (token.rpartition(".")[2], issuer.client[1]):
        assert hidden not in caplog.text
