"""A whole issuer in this process: its real database, its real HTTP, no broker. Requests go straight into the application."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import httpx
from sqlalchemy import select

from revocast.issuer.app import create_app
from revocast.issuer.bootstrap import Home, Plan, init
from revocast.issuer.clock import Clock, wall_clock
from revocast.issuer.settings import IssuerSettings
from revocast.issuer.storage import Storage
from revocast.issuer.storage.tables import AuditOutbox
from revocast.schemas.jose import parse_compact, parse_json

ISSUER = "http://127.0.0.1:8080"
AUDIENCE = "orders"

Credentials = tuple[str, str]


class Authority:
    """Made by `revocast init` unless `home` holds one already, served by `create_app`. `operator` are the first operator's credentials."""

    def __init__(
        self,
        home: Path,
        *,
        database_url: str | None = None,
        clock: Clock = wall_clock,
        operator_writes: int = 100_000,
        operator_rows: int = 2_000_000,
        **plan: Any,
    ) -> None:
        made = Home(home)
        if not made.operator.exists():
            init(made, Plan(ISSUER, claims=("tenant",), **plan), database_url, clock)
        operator = json.loads(made.operator.read_text())
        self.operator: Credentials = (operator["client_id"], operator["client_secret"])
        # No relay: nothing is published here, so nothing waits for it either.
        settings = IssuerSettings.from_env(
            {},
            kafka="127.0.0.1:9",
            home=home,
            database_url=database_url,
            publish_timeout=0,
            relay=False,
            operator_writes=operator_writes,
            operator_rows=operator_rows,
        )
        self.storage = Storage(settings.database)
        self.app = create_app(settings, clock)
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url=ISSUER)

    async def __aenter__(self) -> Self:
        await self.operate(
            "POST", "/v1/resource-servers", audience=AUDIENCE, name="Orders", scopes=["read", "write"]
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()
        self.storage.close()

    async def ask_token(self, client: Credentials, **form: str) -> httpx.Response:
        """`POST /oauth/token` for client credentials."""
        return await self.http.post(
            "/oauth/token", auth=client, data={"grant_type": "client_credentials", **form}
        )

    async def token(self, client: Credentials | None = None, **form: str) -> str:
        """An access token; the operator's if no client is given."""
        answer = await self.ask_token(client or self.operator, **form)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    async def call(self, method: str, path: str, token: str | None = None, **content: Any) -> httpx.Response:
        """An operator call; with all scopes if no token is given."""
        bearer = token if token is not None else await self.token()
        headers = {"Authorization": f"Bearer {bearer}", **content.pop("headers", {})}
        return await self.http.request(method, path, headers=headers, **content)

    async def operate(self, method: str, path: str, **body: Any) -> Any:
        """An operator call that must work. `body` is the JSON of a write, or the query."""
        content: dict[str, Any] = {"json": body} if method == "POST" else {"params": body}
        answer = await self.call(method, path, **content)
        assert answer.is_success, answer.text
        return answer.json()

    async def client(self, scopes: Iterable[str] = ("read",), **more: Any) -> Credentials:
        """Register a client of the order service."""
        body = {"name": "A client", "access": {AUDIENCE: list(scopes)}, **more}
        made = await self.operate("POST", "/v1/clients", **body)
        return made["client_id"], made["client_secret"]

    async def user_token(self, sub: str = "alice", **more: Any) -> str:
        """A user's token at the order service."""
        client_id, _ = await self.client()
        body = {"client_id": client_id, "sub": sub, "audience": AUDIENCE, **more}
        return str((await self.operate("POST", "/v1/tokens", **body))["access_token"])

    async def answer_for(self, token: str) -> str:
        """What a service that is current would answer: `ok`, or why it refuses."""
        return str((await self.operate("POST", "/v1/explain", token=token))["reason"])

    def audited(self, kind: str) -> list[dict[str, Any]]:
        """Audit events of this type, oldest first."""
        with self.storage.read() as session:
            events = [
                json.loads(row.event)
                for row in session.scalars(select(AuditOutbox).order_by(AuditOutbox.seq))
            ]
        return [event for event in events if event["type"] == kind]


def claims_of(token: str) -> dict[str, Any]:
    """What a token says; its signature is not looked at."""
    claims: dict[str, Any] = parse_json(parse_compact(token, 16_384).payload)
    return claims
