"""RFC 7662: whom an answer concerns, and that it follows the deny state."""

import pytest

from tests.issuer.http.authority import AUDIENCE, Authority, Credentials, claims_of

INACTIVE = {"active": False}


async def introspect(authority: Authority, client: Credentials, token: str, **more: str) -> dict[str, object]:
    answer = await authority.http.post("/oauth/introspect", auth=client, data={"token": token, **more})
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    body: dict[str, object] = answer.json()
    return body


async def test_a_resource_server_learns_what_a_token_for_it_says(authority: Authority) -> None:
    service = await authority.client(introspects=[AUDIENCE])
    token = await authority.user_token("alice", sid="s1")
    assert await introspect(authority, service, token) == {
        **claims_of(token),
        "active": True,
        "token_type": "Bearer",
    }


async def test_a_client_may_ask_about_its_own_token(authority: Authority) -> None:
    client = await authority.client()
    assert (await introspect(authority, client, await authority.token(client)))["active"] is True


async def test_it_learns_nothing_about_others_tokens(authority: Authority) -> None:
    other = await authority.client()
    assert await introspect(authority, other, await authority.user_token()) == INACTIVE
    assert await introspect(authority, other, await authority.token()) == INACTIVE


@pytest.mark.parametrize("slot", ["cutoff", "block"])
@pytest.mark.parametrize("kind", ["subject", "session", "grant", "claim:tenant"])
async def test_a_revoked_token_is_inactive_at_once(authority: Authority, kind: str, slot: str) -> None:
    service = await authority.client(introspects=[AUDIENCE])
    names = {"subject": "alice", "session": "s1", "grant": "g1", "claim:tenant": "acme"}
    token = await authority.user_token("alice", sid="s1", grant_id="g1", claims={"tenant": "acme"})
    selector = {"kind": kind, "values": [names[kind]]}
    await authority.operate("POST", "/v1/revocations", selector=selector, slot=slot)
    assert await introspect(authority, service, token) == INACTIVE
    await authority.operate("POST", "/v1/lifts", selector=selector, slot=slot)
    assert (await introspect(authority, service, token))["active"] is True


@pytest.mark.parametrize("token", ["x", "a.b.c", "x" * 20_000, "\x1b[31m"])
async def test_what_is_not_a_token_is_inactive(authority: Authority, token: str) -> None:
    assert await introspect(authority, await authority.client(), token, token_type_hint="?") == INACTIVE


async def test_the_caller_must_authenticate(authority: Authority) -> None:
    answer = await authority.http.post("/oauth/introspect", data={"token": await authority.token()})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
