"""RFC 7009: a client revokes its own tokens, and nothing else."""

from revocast.schemas.jose import b64u, unb64u
from tests.issuer.http.authority import Authority, Credentials

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


async def revoke(authority: Authority, client: Credentials, token: str, **more: str) -> None:
    answer = await authority.http.post("/oauth/revoke", auth=client, data={"token": token, **more})
    assert (answer.status_code, answer.json()) == (200, {})


async def newest_n(authority: Authority) -> int:
    return int((await authority.operate("GET", "/v1/status"))["n"])


async def test_only_that_token_is_revoked(authority: Authority) -> None:
    client = await authority.client()
    token, other = await authority.token(client), await authority.token(client)
    await revoke(authority, client, token)
    assert await authority.answer_for(other) == "ok"


async def test_revoking_twice_writes_one_record(authority: Authority) -> None:
    client = await authority.client()
    token = await authority.token(client)
    await revoke(authority, client, token)
    before = await newest_n(authority)
    await revoke(authority, client, token)
    assert await newest_n(authority) == before


async def test_a_token_is_revoked_in_every_encoding_of_its_signature(authority: Authority) -> None:
    """T17 at the issuer: the selector is the `jti`, never the text of the token."""
    client = await authority.client()
    token = await authority.token(client)
    head, _, tail = token.rpartition(".")
    signature = unb64u(tail)
    twin = signature[:32] + (P256_ORDER - int.from_bytes(signature[32:])).to_bytes(32)
    await revoke(authority, client, token)
    assert await authority.answer_for(f"{head}.{b64u(twin)}") == "token_revoked"


async def test_without_a_token_the_request_is_invalid(authority: Authority) -> None:
    answer = await authority.http.post("/oauth/revoke", auth=await authority.client(), data={"x": "y"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_a_client_must_authenticate(authority: Authority) -> None:
    token = await authority.token()
    answer = await authority.http.post("/oauth/revoke", data={"token": token})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert await authority.answer_for(token) == "ok"
