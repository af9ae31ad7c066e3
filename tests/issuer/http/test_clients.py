"""Registering clients and resource servers."""

from typing import Any

import pytest

from tests.issuer.http.authority import AUDIENCE, ISSUER, Authority


async def test_a_secret_is_shown_once(authority: Authority) -> None:
    made = await authority.operate(
        "POST", "/v1/clients", name="Shop", access={AUDIENCE: ["read"]}, client_id="shop"
    )
    listed = await authority.operate("GET", "/v1/clients")
    assert made["client_secret"] not in str(listed)
    assert [item["client_id"] for item in listed["items"]] == ["operator", "shop"]
    assert await authority.token(("shop", made["client_secret"]))


async def test_the_secret_is_nowhere_in_the_database_or_audit(authority: Authority) -> None:
    made = await authority.operate("POST", "/v1/clients", name="Shop", access={})
    for file in authority.storage.sqlite_file.parent.glob("revocast.db*"):
        assert made["client_secret"].encode() not in file.read_bytes()


async def test_an_id_or_audience_is_taken_once(authority: Authority) -> None:
    body: dict[str, Any] = {"name": "Shop", "access": {}, "client_id": "operator"}
    assert (await authority.call("POST", "/v1/clients", json=body)).status_code == 409
    for audience in (AUDIENCE, ISSUER):
        body = {"audience": audience, "name": "Mine", "scopes": ["revocast:revoke"]}
        assert (await authority.call("POST", "/v1/resource-servers", json=body)).status_code == 409


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "x", "access": {"no-such-service": ["read"]}}, 404),
        ({"name": "x", "access": {AUDIENCE: ["admin"]}}, 422),
        ({"name": "x", "access": {}, "introspects": ["no-such-service"]}, 404),
        ({"name": "", "access": {}}, 422),
        ({"name": "x", "access": {}, "client_id": "a b"}, 422),
        ({"name": "x", "access": {}, "client_id": "a:b"}, 422),
        ({"name": "x", "access": {AUDIENCE: ["re ad"]}}, 422),
        ({"name": "x", "access": [AUDIENCE]}, 422),
    ],
)
async def test_a_client_that_makes_no_sense_is_refused(
    authority: Authority, body: dict[str, Any], status: int
) -> None:
    assert (await authority.call("POST", "/v1/clients", json=body)).status_code == status


async def test_registration_is_audited_with_who_did_it(authority: Authority) -> None:
    await authority.client(name="Shop")
    (event,) = authority.audited("revocast.client.registered")
    assert event["data"]["actor"] == f"client:{authority.operator[0]}"
