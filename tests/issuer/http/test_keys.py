"""Token-signing keys over the operator API."""

from pathlib import Path

import pytest

from revocast.schemas.jose import parse_compact
from tests.issuer.http.authority import Authority


def kid_of(token: str) -> str:
    return str(parse_compact(token, 16_384).header["kid"])


async def test_a_rotated_key_is_announced_and_does_not_sign_yet(authority: Authority) -> None:
    old = kid_of(await authority.token())
    made = await authority.operate("POST", "/v1/keys/rotate", alg="EdDSA")
    assert (made["state"], made["alg"], made["jwk"]["kid"]) == ("announced", "EdDSA", made["kid"])
    listed = (await authority.operate("GET", "/v1/keys"))["items"]
    assert {key["kid"]: key["state"] for key in listed} == {made["kid"]: "announced", old: "active"}
    assert kid_of(await authority.token()) == old
    assert len((await authority.http.get("/.well-known/jwks.json")).json()["keys"]) == 2


async def test_one_rotation_at_a_time(authority: Authority) -> None:
    await authority.operate("POST", "/v1/keys/rotate")
    answer = await authority.call("POST", "/v1/keys/rotate", json={})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


@pytest.mark.parametrize("alg", ["HS256", "none", "PS256", ""])
async def test_a_key_of_another_algorithm_is_refused(authority: Authority, alg: str) -> None:
    answer = await authority.call("POST", "/v1/keys/rotate", json={"alg": alg})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "alg")


async def test_a_revoked_key_takes_what_it_signed_with_it(authority: Authority) -> None:
    token, operator = await authority.user_token(), await authority.token()
    receipt = await authority.call(
        "POST", f"/v1/keys/{kid_of(token)}/revoke", operator, json={"reason": "leaked"}
    )
    assert (receipt.status_code, receipt.json()["status"]) == (200, "pending")
    (row,) = receipt.json()["revocations"]
    assert row["selector"]["kind"] == "key"
    form = {"token": token}
    assert (await authority.http.post("/oauth/introspect", auth=authority.operator, data=form)).json() == {
        "active": False
    }


async def test_without_a_key_that_may_sign_a_token_request_is_told_to_come_back(tmp_path: Path) -> None:
    async with Authority(tmp_path / "home", announce_seconds=3600) as authority:
        token = await authority.token()
        await authority.operate("POST", f"/v1/keys/{kid_of(token)}/revoke", reason="leaked")
        answer = await authority.ask_token(authority.operator)
        assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
        assert answer.headers["Retry-After"] == "1"
        ready = await authority.http.get("/readyz")
        assert (ready.status_code, ready.json()["code"]) == (503, "no_signing_key")
        assert (await authority.http.get("/healthz")).status_code == 200


@pytest.mark.parametrize("kid", ["unknown", "..%2f..%2fetc", "' OR 1=1 --"])
async def test_an_unknown_key_is_not_found(authority: Authority, kid: str) -> None:
    answer = await authority.call("POST", f"/v1/keys/{kid}/revoke", json={"reason": "x"})
    assert answer.status_code == 404
