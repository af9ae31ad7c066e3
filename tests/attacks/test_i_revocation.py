"""Token revocation (RFC 7009): a client ends its own tokens, and has no effect on any other."""

import pytest

from revocast.schemas.jose import PrivateKey, b64u, canonical_json, parse_json, unb64u
from tests.issuer.http.authority import ISSUER, Authority
from tests.issuer.http.conftest import authority, made
from tests.issuer.http.test_revocation import newest_n, revoke

__all__ = ["authority", "made"]


async def test_i01_another_clients_token_is_left_alone_and_audited(authority: Authority) -> None:
    owner, thief = await authority.client(), await authority.client()
    token = await authority.token(owner)
    before = await newest_n(authority)
    await revoke(authority, thief, token)
    assert await newest_n(authority) == before
    assert await authority.answer_for(token) == "ok"
    (event,) = authority.audited("revocast.token-revocation.refused")
    assert event["subject"] == f"client:{thief[0]}"
    assert event["data"]["token_of"] == owner[0]


def forged(issuer: str) -> str:
    """A token that says the right things, signed by somebody else's key."""
    key = PrivateKey.generate("ES256")
    header = {"alg": "ES256", "kid": key.kid, "typ": "at+jwt"}
    claims = {
        "iss": issuer,
        "sub": "x",
        "aud": "orders",
        "client_id": "x",
        "iat": 1,
        "exp": 2**31,
        "jti": "x",
    }
    signing_input = f"{b64u(canonical_json(header))}.{b64u(canonical_json(claims))}"
    return f"{signing_input}.{b64u(key.sign(signing_input.encode()))}"


@pytest.mark.parametrize(
    "token",
    [
        "unknown",
        "a.b.c",
        "..",
        "\x00",
        "é" * 100,
        "x" * 20_000,
        forged(ISSUER),
        forged("https://other.example"),
    ],
    ids=["unknown", "segments", "dots", "nul", "unicode", "huge", "forged", "foreign"],
)
async def test_i01_an_unknown_token_is_answered_like_a_revoked_one(authority: Authority, token: str) -> None:
    client = await authority.client()
    before = await newest_n(authority)
    await revoke(authority, client, token)
    assert await newest_n(authority) == before


async def test_i01_a_token_that_the_thief_relabelled_as_its_own_is_nobodys(authority: Authority) -> None:
    """Under the owner's signature, and under one of the thief's own key that goes by the issuer's name for its."""
    owner, thief = await authority.client(), await authority.client()
    token = await authority.token(owner)
    header, payload, signature = token.split(".")
    claims = canonical_json({**parse_json(unb64u(payload)), "client_id": thief[0]})
    key = PrivateKey.generate(parse_json(unb64u(header))["alg"])
    relabelled = f"{header}.{b64u(claims)}"
    before = await newest_n(authority)
    for signed in (signature, b64u(key.sign(relabelled.encode())), ""):
        await revoke(authority, thief, f"{relabelled}.{signed}")
    assert await newest_n(authority) == before
    assert await authority.answer_for(token) == "ok"


@pytest.mark.parametrize("hint", [None, "access_token", "refresh_token", "id_token", "\x00"])
async def test_i02_a_client_revokes_its_own_token_whatever_the_hint(
    authority: Authority, hint: str | None
) -> None:
    client = await authority.client()
    token = await authority.token(client)
    await revoke(authority, client, token, **({"token_type_hint": hint} if hint else {}))
    assert await authority.answer_for(token) == "token_revoked"
