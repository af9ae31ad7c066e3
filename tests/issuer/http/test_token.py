"""The token endpoint: RFC 6749 §4.4 and §5, RFC 9068, RFC 8707."""

import time
from pathlib import Path

import pytest

from revocast.schemas.jose import PublicKey, parse_compact
from tests.issuer.http.authority import AUDIENCE, ISSUER, Authority, claims_of

FORM = {"grant_type": "client_credentials"}


async def test_a_token_is_an_rfc_9068_access_token(authority: Authority) -> None:
    client = await authority.client(scopes=["read", "write"])
    answer = await authority.ask_token(client, scope="read")
    body = answer.json()
    compact = parse_compact(body["access_token"], 16_384)
    claims = claims_of(body["access_token"])
    assert (body["token_type"], body["scope"]) == ("Bearer", "read")
    assert compact.header["typ"] == "at+jwt"
    assert claims == {
        "iss": ISSUER,
        "sub": client[0],
        "client_id": client[0],
        "aud": AUDIENCE,
        "scope": "read",
        "iat": claims["iat"],
        "exp": claims["iat"] + body["expires_in"],
        "jti": claims["jti"],
    }


async def test_a_token_verifies_under_the_published_key_set(authority: Authority) -> None:
    compact = parse_compact(await authority.token(), 16_384)
    keys = (await authority.http.get("/.well-known/jwks.json")).json()["keys"]
    (jwk,) = [jwk for jwk in keys if jwk["kid"] == compact.header["kid"]]
    assert PublicKey.from_jwk(jwk).verify(compact.signing_input, compact.signature)


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
async def test_tokens_are_signed_with_the_algorithm_that_init_was_given(tmp_path: Path, alg: str) -> None:
    async with Authority(tmp_path / "home", alg=alg) as authority:
        token = await authority.user_token()
        assert parse_compact(token, 16_384).header["alg"] == alg
        assert await authority.answer_for(token) == "ok"


async def test_the_secret_may_be_posted(authority: Authority) -> None:
    client_id, secret = await authority.client()
    form = {**FORM, "client_id": client_id, "client_secret": secret}
    assert (await authority.http.post("/oauth/token", data=form)).status_code == 200


async def test_two_authentication_methods_at_once_are_refused(authority: Authority) -> None:
    client = await authority.client()
    form = {**FORM, "client_id": client[0], "client_secret": client[1]}
    answer = await authority.http.post("/oauth/token", auth=client, data=form)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_credentials_in_the_query_are_not_looked_at(authority: Authority) -> None:
    client_id, secret = await authority.client()
    query = {"client_id": client_id, "client_secret": secret}
    answer = await authority.http.post("/oauth/token", params=query, data=FORM)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_no_answer_may_be_cached(authority: Authority) -> None:
    for client in (authority.operator, ("nobody", "wrong")):
        assert (await authority.ask_token(client)).headers["Cache-Control"] == "no-store"


async def test_without_a_scope_the_client_gets_all_that_it_has(authority: Authority) -> None:
    client = await authority.client(scopes=["read", "write"])
    assert claims_of(await authority.token(client))["scope"] == "read write"


async def test_the_resource_must_be_named_where_there_are_several(authority: Authority) -> None:
    await authority.operate("POST", "/v1/resource-servers", audience="bills", name="Bills", scopes=["read"])
    client = await authority.client(access={AUDIENCE: ["read"], "bills": ["read"]})
    assert (await authority.ask_token(client)).json()["error"] == "invalid_target"
    assert claims_of(await authority.token(client, resource="bills"))["aud"] == "bills"


@pytest.mark.parametrize(
    "grant_type", ["password", "implicit", "authorization_code", "refresh_token", "x\x1b[31m", 'a"b']
)
async def test_other_grants_do_not_exist(authority: Authority, grant_type: str) -> None:
    answer = await authority.ask_token(
        authority.operator, grant_type=grant_type, username="alice", password="x"
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")
    assert grant_type not in answer.json()["error_description"]


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"", "application/x-www-form-urlencoded"),
        (b"grant_type=", "application/x-www-form-urlencoded"),
        (b"grant_type=client_credentials&grant_type=password", "application/x-www-form-urlencoded"),
        (b"grant_type=%ff", "application/x-www-form-urlencoded"),
        (b"&".join(b"a%d=1" % i for i in range(100)), "application/x-www-form-urlencoded"),
        (b'{"grant_type":"client_credentials"}', "application/json"),
    ],
)
async def test_a_body_that_is_no_form_is_an_invalid_request(
    authority: Authority, content: bytes, media_type: str
) -> None:
    answer = await authority.http.post(
        "/oauth/token", auth=authority.operator, content=content, headers={"Content-Type": media_type}
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_a_huge_body_is_refused(authority: Authority) -> None:
    answer = await authority.http.post("/oauth/token", data={"grant_type": "x" * 1_000_000})
    assert answer.status_code == 413


async def test_failed_authentication_is_audited_without_the_secret(authority: Authority) -> None:
    await authority.ask_token(("nobody", "hunter2-hunter2"))
    (event,) = authority.audited("revocast.access.denied")
    assert event["data"]["claimed_client_id"] == "nobody"
    assert "hunter2" not in str(event)


async def test_a_flood_of_failures_does_not_fill_the_database(tmp_path: Path) -> None:
    now = time.time()
    async with Authority(tmp_path / "home", clock=lambda: now) as authority:
        for _ in range(70):
            await authority.http.post("/v1/lifts", json={})
        assert len(authority.audited("revocast.access.denied")) == 50
        now += 5
        for _ in range(20):
            await authority.http.post("/v1/lifts", json={})
        events = authority.audited("revocast.access.denied")
        assert len(events) == 55
        assert [event["data"]["suppressed_before"] for event in events[49:52]] == [0, 20, 0]


async def test_a_blocked_client_gets_no_token(authority: Authority) -> None:
    client = await authority.client()
    selector = {"kind": "client", "values": [client[0]]}
    await authority.operate("POST", "/v1/revocations", selector=selector, slot="block")
    answer = await authority.ask_token(client)
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")
    await authority.operate("POST", "/v1/lifts", selector=selector, slot="block")
    assert (await authority.ask_token(client)).status_code == 200
