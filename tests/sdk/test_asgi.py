"""The ASGI middleware over real HTTP."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from revocast.sdk import TokenError
from revocast.sdk.integrations.asgi import RevocastMiddleware
from revocast.testing import Authority, InMemoryGuard
from tests.sdk.serving import serving


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the subject that it finds in the scope."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    claims = scope.get("revocast.claims")
    body = json.dumps(claims["sub"] if claims else None).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def client(revocast_guard: InMemoryGuard) -> Iterator[httpx.Client]:
    guarded = RevocastMiddleware(app, revocast_guard, scopes=["read"], public_paths=["/healthz"])
    with serving(guarded) as url, httpx.Client(base_url=url) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_the_application_finds_the_claims(client: httpx.Client, revocast_authority: Authority) -> None:
    answer = client.get("/", headers=bearer(revocast_authority.mint(sub="bob", scope="read")))
    assert (answer.status_code, answer.json()) == (200, "bob")


def test_public_paths_are_exact(client: httpx.Client) -> None:
    assert client.get("/healthz").json() is None
    for path in ("/healthz/", "/healthz/x", "/HEALTHZ", "/healthz%2f", "/x/../healthz2"):
        assert client.get(path).status_code == 401


def test_refusals_never_reach_the_application(client: httpx.Client, revocast_authority: Authority) -> None:
    token = revocast_authority.mint(scope="read")
    answer = client.get("/")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    answer = client.get("/", headers=bearer(revocast_authority.mint(scope="write")))
    assert answer.status_code == 403
    assert answer.headers["www-authenticate"].endswith('scope="read"')
    revocast_authority.revoke(token)
    answer = client.get("/", headers=bearer(token))
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["detail"]["code"] == "token_revoked"
    revocast_authority.now += 100
    answer = client.get("/", headers=bearer(revocast_authority.mint(scope="read")))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


def test_two_authorization_headers_are_a_400(client: httpx.Client, revocast_authority: Authority) -> None:
    good = ("Authorization", f"Bearer {revocast_authority.mint(scope='read')}")
    assert client.get("/", headers=[good, good]).status_code == 400


@pytest.mark.parametrize("can_answer", [True, False])
async def test_a_websocket_is_refused_in_its_handshake(
    revocast_guard: InMemoryGuard, can_answer: bool
) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    extensions: dict[str, Any] = {"websocket.http.response": {}} if can_answer else {}
    scope = {"type": "websocket", "path": "/live", "headers": [], "extensions": extensions}
    await RevocastMiddleware(app, revocast_guard)(scope, receive, send)
    if can_answer:
        assert [message["type"] for message in sent] == [
            "websocket.http.response.start",
            "websocket.http.response.body",
        ]
        assert sent[0]["status"] == 401
    else:
        assert sent == [{"type": "websocket.close", "code": 1008, "reason": "token_missing"}]


async def test_a_connection_of_an_unknown_type_does_not_reach_the_application(
    revocast_guard: InMemoryGuard,
) -> None:
    reached = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["type"])

    async def silent(*_: Any) -> Any:
        return {}

    guarded = RevocastMiddleware(application, revocast_guard)
    with pytest.raises(NotImplementedError, match="webtransport"):
        await guarded({"type": "webtransport", "path": "/", "headers": []}, silent, silent)
    await guarded({"type": "lifespan"}, silent, silent)
    assert reached == ["lifespan"]


@pytest.mark.parametrize(
    "form", ["\xa0Bearer {}", "Bearer {}\xa0", "Bearer {}\x85", "Bearer {}\x1c", "Bearer\t{}"]
)
async def test_what_only_looks_like_white_space_makes_no_good_header(
    revocast_guard: InMemoryGuard, revocast_authority: Authority, form: str
) -> None:
    token = revocast_authority.mint()
    with pytest.raises(TokenError):
        revocast_guard.verify_request([form.format(token)])
    assert revocast_guard.verify_request([f" \tbearer  {token}\t "]).subject
