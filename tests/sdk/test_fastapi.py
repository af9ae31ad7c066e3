"""The FastAPI dependency over real HTTP."""

from collections.abc import Iterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, Security
from fastapi.exceptions import FastAPIError

from revocast.sdk import Claims, Guard
from revocast.testing import Authority, InMemoryGuard
from tests.sdk.serving import serving


def make_app(guard: Guard) -> FastAPI:
    app = FastAPI()

    @app.get("/orders")
    async def orders(claims: Annotated[Claims, Security(guard.required(), scopes=["orders:read"])]) -> Any:
        return claims.get("sub")

    @app.get("/me")
    def me(claims: Annotated[Claims, Security(guard.required())]) -> Any:
        return claims.to_dict()

    return app


@pytest.fixture
def client(revocast_guard: InMemoryGuard) -> Iterator[httpx.Client]:
    with serving(make_app(revocast_guard)) as url, httpx.Client(base_url=url) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_good_token_reaches_the_route(client: httpx.Client, revocast_authority: Authority) -> None:
    token = revocast_authority.mint(sub="alice", scope="orders:read")
    answer = client.get("/orders", headers=bearer(token))
    assert (answer.status_code, answer.json()) == (200, "alice")
    assert client.get("/me", headers=bearer(token)).json()["jti"] == "token-1"
    assert client.get("/me", headers={"Authorization": f"bearer {token}"}).status_code == 200


def test_without_a_token_it_asks_for_one(client: httpx.Client) -> None:
    for headers in ({}, {"Authorization": "Basic YTpi"}):
        answer = client.get("/me", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.json()["detail"]["code"] == "token_missing"


def test_a_revoked_token_is_a_401(client: httpx.Client, revocast_authority: Authority) -> None:
    token = revocast_authority.mint(sub="alice")
    assert client.get("/me", headers=bearer(token)).status_code == 200
    revocast_authority.block(revocast_authority.subject("alice"))
    answer = client.get("/me", headers=bearer(token))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == (
        'Bearer error="invalid_token", error_description="The token has been revoked."'
    )
    assert answer.json()["detail"]["code"] == "token_revoked"
    assert token not in answer.text


def test_a_missing_scope_is_a_403(client: httpx.Client, revocast_authority: Authority) -> None:
    answer = client.get("/orders", headers=bearer(revocast_authority.mint(scope="orders:write")))
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    assert answer.headers["WWW-Authenticate"].endswith('scope="orders:read"')


@pytest.mark.parametrize("value", ["Bearer", "Bearer a b", "Bearer a, Bearer b"])
def test_what_is_not_one_token_is_a_400(client: httpx.Client, value: str) -> None:
    answer = client.get("/me", headers={"Authorization": value})
    assert answer.status_code == 400
    assert 'error="invalid_request"' in answer.headers["WWW-Authenticate"]


def test_two_authorization_headers_are_a_400(client: httpx.Client, revocast_authority: Authority) -> None:
    good = ("Authorization", f"Bearer {revocast_authority.mint()}")
    assert client.get("/me", headers=[good, good]).status_code == 400


def test_a_stale_guard_is_a_503(client: httpx.Client, revocast_authority: Authority) -> None:
    token = revocast_authority.mint()
    revocast_authority.now += 100
    answer = client.get("/me", headers=bearer(token))
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "2"
    assert "WWW-Authenticate" not in answer.headers
    assert answer.json()["detail"]["code"] == "guard_stale"


def test_a_guard_that_was_not_started_is_a_503(revocast_authority: Authority) -> None:
    guard = Guard(revocast_authority.issuer, "orders", "kafka:9092", revocast_authority.pin)
    with serving(make_app(guard)) as url:
        answer = httpx.get(f"{url}/me", headers=bearer(revocast_authority.mint()))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert answer.json()["detail"]["code"] == "guard_not_ready"


def test_openapi_shows_the_scheme_and_the_scopes(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    scheme = document["components"]["securitySchemes"]["Revocast"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert document["paths"]["/orders"]["get"]["security"] == [{"Revocast": ["orders:read"]}]
    assert document["paths"]["/me"]["get"]["security"] == [{"Revocast": []}]
    assert "parameters" not in document["paths"]["/orders"]["get"]


def test_forgotten_parentheses_are_an_error_when_the_route_is_declared(revocast_guard: InMemoryGuard) -> None:
    app = FastAPI()
    with pytest.raises(FastAPIError):

        @app.get("/open-to-all")
        async def route(claims: Annotated[Any, Security(revocast_guard.required)]) -> Any:
            return claims


def test_shadow_mode_refuses_nothing_and_reports(revocast_authority: Authority) -> None:
    guard = InMemoryGuard(revocast_authority, mode="shadow")
    token = revocast_authority.mint(sub="alice")
    revocast_authority.block(revocast_authority.subject("alice"))
    with serving(make_app(guard)) as url, httpx.Client(base_url=url) as client:
        assert client.get("/orders").json() is None
        assert client.get("/orders", headers=bearer(token)).json() == "alice"
        assert client.get("/orders", headers=bearer("forged")).json() is None
    counters = guard.health().counters
    assert counters["refused.token_missing"] == 1
    assert counters["refused.token_revoked"] == 1
    assert counters["refused.token_malformed"] == 1
