"""What can be got from the token endpoint and from minting, beyond what one has."""

import pytest

from tests.issuer.http.authority import AUDIENCE, ISSUER, Authority, claims_of
from tests.issuer.http.conftest import authority, made
from tests.issuer.http.test_revocations import problem

__all__ = ["authority", "made"]

FORM = {"grant_type": "client_credentials"}


async def test_i05_a_token_minted_in_the_second_of_a_sign_out_is_accepted_and_the_old_ones_are_not(
    authority: Authority,
) -> None:
    old = await authority.user_token("alice")
    selector = {"kind": "subject", "values": ["alice"]}
    receipt = await authority.operate("POST", "/v1/revocations", selector=selector, slot="cutoff")
    new = await authority.user_token("alice")
    assert claims_of(new)["iat"] > receipt["revocations"][0]["cutoff"]
    assert await authority.answer_for(old) == "token_revoked"
    assert await authority.answer_for(new) == "ok"


@pytest.mark.parametrize("scope", ["write", "read write", "admin", "read  read", '"'])
async def test_i09_a_scope_beyond_the_clients_is_refused_and_not_narrowed(
    authority: Authority, scope: str
) -> None:
    answer = await authority.ask_token(await authority.client(), scope=scope)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


async def test_i09_an_unknown_resource_looks_like_a_forbidden_one(authority: Authority) -> None:
    client = await authority.client()
    unknown = await authority.ask_token(client, resource="no-such-service")
    forbidden = await authority.ask_token(client, resource=ISSUER)
    assert unknown.json()["error"] == "invalid_target"
    assert (unknown.status_code, unknown.content) == (forbidden.status_code, forbidden.content)


async def test_i09_a_token_is_for_one_resource(authority: Authority) -> None:
    answer = await authority.http.post(
        "/oauth/token", auth=await authority.client(), data={**FORM, "resource": [AUDIENCE, "bills"]}
    )
    assert answer.json()["error"] == "invalid_target"


async def test_i09_an_operator_cannot_give_more_than_it_has(authority: Authority) -> None:
    token = await authority.token(scope="revocast:clients revocast:read")
    body = {"name": "Friend", "access": {ISSUER: ["revocast:read", "revocast:revoke"]}}
    answer = await authority.call("POST", "/v1/clients", token, json=body)
    assert (answer.status_code, answer.json()["code"]) == (403, "access_denied")
    body["access"] = {ISSUER: ["revocast:read"]}
    assert (await authority.call("POST", "/v1/clients", token, json=body)).status_code == 201


async def test_i09_an_operator_cannot_mint_itself_another_operators_token(authority: Authority) -> None:
    body = {"client_id": authority.operator[0], "sub": "alice", "audience": ISSUER}
    assert (await problem(authority, "/v1/tokens", body))[:2] == (403, "access_denied")


async def test_i09_a_minted_token_carries_declared_claims_only(authority: Authority) -> None:
    client_id, _ = await authority.client()
    body = {"client_id": client_id, "sub": "alice", "audience": AUDIENCE, "claims": {"color": "red"}}
    assert (await problem(authority, "/v1/tokens", body))[0] == 422
    for reserved in ("iss", "exp", "scope", "client_id", "act"):
        assert (await problem(authority, "/v1/tokens", {**body, "claims": {reserved: "x"}}))[0] == 422


async def test_i05_a_client_that_was_signed_out_gets_a_token_that_is_accepted(authority: Authority) -> None:
    client = await authority.client()
    old = await authority.token(client)
    selector = {"kind": "client", "values": [client[0]]}
    receipt = await authority.operate("POST", "/v1/revocations", selector=selector, slot="cutoff")
    new = await authority.token(client)
    assert claims_of(old)["iat"] <= receipt["revocations"][0]["cutoff"] < claims_of(new)["iat"]
    assert [await authority.answer_for(token) for token in (old, new)] == ["token_revoked", "ok"]


async def test_i13_every_token_of_a_grant_goes_with_the_grant(authority: Authority) -> None:
    """What refreshes and exchanges will inherit: the grant names all of them, and a blocked one yields no more."""
    client_id, _ = await authority.client()
    body = {"client_id": client_id, "sub": "alice", "audience": AUDIENCE}
    tokens = [
        (await authority.operate("POST", "/v1/tokens", **body, grant_id=grant))["access_token"]
        for grant in ("stolen", "stolen", "good")
    ]
    selector = {"kind": "grant", "values": ["stolen"]}
    await authority.operate("POST", "/v1/revocations", selector=selector, slot="block")
    assert [await authority.answer_for(token) for token in tokens] == ["token_revoked", "token_revoked", "ok"]
    answer = await authority.call("POST", "/v1/tokens", json={**body, "grant_id": "stolen"})
    assert (answer.status_code, answer.json()["code"]) == (403, "access_denied")
