"""Attacks with tokens of a foreign issuer, whose keys come over HTTP."""

from collections.abc import Iterator

import pytest

from revocast.schemas.jose import PrivateKey
from revocast.sdk import SignatureInvalid, UnknownKey
from revocast.sdk.jwks.source import AT_ONCE
from revocast.testing import Authority
from revocast.testing.tokens import claims_of, sign_token
from tests.sdk.jwks.idp import Idp, foreign_guard, mint
from tests.sdk.jwks.key_sets import jwk_set
from tests.sdk.serving import serving

HMAC_KEY = {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0", "kid": "h", "alg": "HS256"}


@pytest.fixture
def idp() -> Iterator[tuple[Idp, str]]:
    """A foreign issuer, and its JWKS URL."""
    app = Idp()
    with serving(app) as url:
        yield app, f"{url}/jwks"


async def test_t03_a_header_that_points_at_keys_leads_to_no_request(idp: tuple[Idp, str]) -> None:
    app, url = idp
    authority, stranger, elsewhere = Authority(), PrivateKey.generate(), Idp()
    guard = foreign_guard(authority, url)
    claims = claims_of(mint(authority, stranger))
    with serving(elsewhere) as theirs:
        async with guard.fetching():
            for name in ("jku", "x5u", "jwks_uri", "iss"):
                for kid in (stranger.kid, app.keys[0].kid):
                    token = sign_token(claims, stranger, {name: f"{theirs}/jwks", "kid": kid})
                    with pytest.raises((UnknownKey, SignatureInvalid)):
                        await guard.averify(token)
    assert elsewhere.asked == []


async def test_t04_made_up_kids_cost_a_foreign_issuer_a_bounded_number_of_requests(
    idp: tuple[Idp, str],
) -> None:
    app, url = idp
    authority, key = Authority(), PrivateKey.generate()
    guard = foreign_guard(authority, url)
    claims = claims_of(mint(authority, key))
    async with guard.fetching():
        for kid in ("../../etc/passwd", "https://evil.example/", "' OR 1=1 --", *map(str, range(200))):
            with pytest.raises(UnknownKey):
                await guard.averify(sign_token(claims, key, {"kid": kid}))
    assert len(app.asked) <= 1 + AT_ONCE


async def test_t06_a_foreign_set_brings_no_symmetric_encrypting_or_weak_key(idp: tuple[Idp, str]) -> None:
    app, url = idp
    authority, other, good = Authority(), PrivateKey.generate(), PrivateKey.generate("ES256")
    encrypting = {**other.public.jwk, "use": "enc"}
    app.body = jwk_set(HMAC_KEY, encrypting, good)
    guard = foreign_guard(authority, url)
    async with guard.fetching():
        assert guard.verify(mint(authority, good))
        with pytest.raises(UnknownKey):
            guard.verify(mint(authority, other))
        with pytest.raises(UnknownKey):
            guard.verify(sign_token(claims_of(mint(authority, good)), good, {"kid": "h", "alg": "HS256"}))
