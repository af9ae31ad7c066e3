"""Whatever a caller sends, it is the caller's error: never a server error, on neither database."""

import json
from pathlib import Path
from typing import Any

from tests.issuer.http.authority import AUDIENCE, Authority

ODD = ["\x00", "a\x00b", "'", "%", "\\", "\U0010ffff", "x" * 1024]


async def test_odd_parameters(tmp_path: Path, database: str | None) -> None:
    async with Authority(tmp_path / "home", database_url=database) as authority:
        token = await authority.token()
        for odd in ODD:
            for name in ("kind", "value", "after", "limit", "all"):
                answer = await authority.call("GET", "/v1/revocations", token, params={name: odd})
                assert answer.status_code in (200, 422), (name, odd, answer.text)
        for number in (-1, 2**63 - 1, 2**63, 10**30):
            answer = await authority.call("GET", "/v1/log", token, params={"after": number})
            assert answer.status_code in (200, 422), (number, answer.text)
        answer = await authority.call("POST", "/v1/keys/%00/revoke", token, json={"reason": "x"})
        assert answer.status_code == 422


async def test_odd_credentials_and_forms(tmp_path: Path, database: str | None) -> None:
    async with Authority(tmp_path / "home", database_url=database) as authority:
        for odd in ODD:
            assert (await authority.ask_token((odd, odd))).status_code == 401
            form = {"grant_type": "client_credentials", "client_id": odd, "client_secret": odd}
            assert (await authority.http.post("/oauth/token", data=form)).status_code == 401
            answer = await authority.ask_token(authority.operator, resource=odd, scope=odd)
            assert answer.status_code == 400
            for path in ("/oauth/introspect", "/oauth/revoke"):
                answer = await authority.http.post(path, auth=authority.operator, data={"token": odd})
                assert answer.status_code == 200


async def test_odd_bodies(tmp_path: Path, database: str | None) -> None:
    async with Authority(tmp_path / "home", database_url=database) as authority:
        client_id, _ = await authority.client()
        token = await authority.token()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        deep = b'{"token":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
        bodies = [json.dumps(body).encode() for body in odd_bodies(client_id)]
        for path in (
            "/v1/revocations",
            "/v1/lifts",
            "/v1/tokens",
            "/v1/clients",
            "/v1/explain",
            "/v1/keys/rotate",
        ):
            for body in (*bodies, deep, b"[" * 100_000, b'{"cutoff":' + b"9" * 5000 + b"}", b"NaN", b"null"):
                answer = await authority.http.post(path, headers=headers, content=body)
                assert answer.status_code < 500, (path, body[:100], answer.text)
                assert answer.text.isascii()


def odd_bodies(client_id: str) -> list[Any]:
    texts = [*ODD, "\ud800", "\x1b[31m"]
    return [
        [],
        {"\ud800": 1, "\x1b[31m" * 100: 2},
        *({"selector": {"kind": text, "values": [text]}, "slot": text, "reason": text} for text in texts),
        *({"selector": {"kind": "claim:" + text, "values": ["x"]}, "slot": "block"} for text in texts),
        *(
            {"selector": {"kind": "subject", "values": ["x"], "issuer": text}, "slot": "block"}
            for text in texts
        ),
        *(
            {"client_id": client_id, "sub": "x", "audience": AUDIENCE, "claims": {text: text}}
            for text in texts
        ),
        *({"client_id": text, "sub": text, "audience": text, "scope": text} for text in texts),
        *({"name": text, "access": {text: [text]}, "client_id": text} for text in texts),
        *({"token": text} for text in texts),
    ]
