"""A real issuer that has put its keys and its log on a real Kafka, and whose relay is gone since: it answers, and publishes nothing."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from revocast.dev.broker.topics import create_topics
from revocast.issuer.app import create_app
from revocast.issuer.bootstrap import Home, Plan, init
from revocast.issuer.settings import IssuerSettings
from revocast.schemas.topics import Topics
from revocast.sdk import Guard
from tests.sdk.serving import serving
from tests.sdk.stage import until

AUDIENCE = "orders"
Fault = Callable[[Any, Any, Any], Awaitable[None]]


class Front:
    """The issuer's front door. `fault` is what a question about a token meets instead of the issuer; `asked` counts questions."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.fault: Fault | None = None
        self.asked = 0
        self.open = 0
        self.most = 0
        """The most questions that were open at once since the last `reset`."""

    def reset(self) -> None:
        """Be a good issuer again."""
        self.fault, self.asked, self.most = None, 0, 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] != "/oauth/introspect":
            await self._app(scope, receive, send)
            return
        self.asked += 1
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            if self.fault is None:
                await self._app(scope, receive, send)
            else:
                await self.fault(scope, receive, send)
        finally:
            self.open -= 1


def answering(status: int, body: bytes = b"{}", **headers: str) -> Fault:
    """A fault: this answer."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": body})

    return answer


class LoneIssuer:
    """`url` is the issuer's. `client` are credentials that may ask about tokens for `orders`."""

    def __init__(self, url: str, front: Front, home: Path, kafka: str, prefix: str) -> None:
        self.url, self.front, self.kafka, self.prefix = url, front, kafka, prefix
        self._home = home
        operator = json.loads(Home(home).operator.read_text())
        self._operator = (operator["client_id"], operator["client_secret"])
        self._http = httpx.Client(base_url=url)
        self._token = ""
        self.client = ("", "")
        self.web = ("", "")

    def register(self) -> None:
        """The service, its client, and a client that gets tokens for it."""
        for audience in (AUDIENCE, "billing"):
            body = {"audience": audience, "name": audience, "scopes": ["read", "write"]}
            self.operate("/v1/resource-servers", **body)
        self.client = self.register_client(access={}, introspects=[AUDIENCE])
        self.web = self.register_client(access={AUDIENCE: ["read"], "billing": ["read"]})

    def operate(self, path: str, **body: Any) -> Any:
        """An operator call that must work."""
        if not self._token:
            form = {"grant_type": "client_credentials"}
            answer = self._http.post("/oauth/token", auth=self._operator, data=form)
            self._token = answer.json()["access_token"]
        answer = self._http.post(path, headers={"Authorization": f"Bearer {self._token}"}, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def mint(self, sub: str = "alice", audience: str = AUDIENCE) -> str:
        """A user's token."""
        body = {"client_id": self.web[0], "sub": sub, "audience": audience}
        return str(self.operate("/v1/tokens", **body)["access_token"])

    def block(self, sub: str) -> None:
        """Refuse everything of a user."""
        self.operate("/v1/revocations", selector={"kind": "subject", "values": [sub]}, slot="block")

    def lift(self, sub: str) -> None:
        """End the block."""
        self.operate("/v1/lifts", selector={"kind": "subject", "values": [sub]}, slot="block")

    def guard(self, state_dir: Path, **options: Any) -> Guard:
        """A guard that asks this issuer when it is not current."""
        usual = {
            "kafka": self.kafka,
            "prefix": self.prefix,
            "policy": "introspect",
            "client_id": self.client[0],
            "client_secret": self.client[1],
            "introspection_timeout": 10.0,
        }
        return Guard(self.url, AUDIENCE, **{**usual, "state_dir": state_dir, **options})

    def register_client(self, **body: Any) -> tuple[str, str]:
        made = self.operate("/v1/clients", name="A client", **body)
        return made["client_id"], made["client_secret"]


@contextmanager
def lone_issuer(
    folder: Path, kafka: str, prefix: str, prepare: Callable[[LoneIssuer], None]
) -> Iterator[LoneIssuer]:
    """`prepare` is called while the relay still publishes."""
    asyncio.run(create_topics(Topics(prefix), kafka))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    home = folder / "home"
    init(Home(home), Plan(f"http://127.0.0.1:{port}"))

    def app(*, relay: bool) -> Front:
        settings = IssuerSettings.from_env(
            {}, kafka=kafka, prefix=prefix, home=home, relay=relay, publish_timeout=10 if relay else 0
        )
        return Front(create_app(settings))

    front = app(relay=True)
    with serving(front, port) as url:
        issuer = LoneIssuer(url, front, home, kafka, prefix)
        issuer.register()
        prepare(issuer)
        asyncio.run(_read_all(issuer, folder))
    issuer.front = app(relay=False)
    with serving(issuer.front, port):
        yield issuer


async def _read_all(issuer: LoneIssuer, folder: Path) -> None:
    """Until a guard has read a checkpoint of all that was prepared."""
    async with issuer.guard(folder) as guard:
        await until(lambda: guard.state == "ready")
