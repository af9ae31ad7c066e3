"""A foreign issuer's JWKS endpoint on a real HTTP server, good until a test gives it a fault; and a guard that asks it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from revocast.schemas.jose import PrivateKey
from revocast.sdk.policy import Policy
from revocast.testing import Authority, InMemoryGuard
from revocast.testing.tokens import sign_token
from tests.sdk.jwks.key_sets import jwk_set

ISSUER = "https://idp.test"
Fault = Callable[[Any, Any, Any], Awaitable[None]]


class Idp:
    """`keys` are what it publishes. `asked` are the headers of the requests, in their order."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew with one key."""
        self.keys = [PrivateKey.generate()]
        self.headers: dict[str, str] = {}
        self.body: bytes | None = None
        self.fault: Fault | None = None
        self.asked: list[dict[str, str]] = []
        self.open = self.most = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        self.asked.append({name.decode(): value.decode() for name, value in scope["headers"]})
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            await (self.fault or self._set)(scope, receive, send)
        finally:
            self.open -= 1

    async def _set(self, scope: Any, receive: Any, send: Any) -> None:
        body = jwk_set(*self.keys) if self.body is None else self.body
        etag = f'"{hashlib.sha256(body).hexdigest()}"'
        if self.asked[-1].get("if-none-match") == etag:
            await answering(304, b"", **self.headers)(scope, receive, send)
        else:
            await answering(200, body, etag=etag, **self.headers)(scope, receive, send)


def answering(status: int, body: bytes = b"", **headers: str) -> Fault:
    """This answer."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": body})

    return answer


class FetchingGuard(InMemoryGuard):
    """The deployment is in memory, the foreign issuers are asked over HTTP. `passed` moves the clock and tells the fetcher."""

    def passed(self, seconds: float) -> None:
        """Time passes, and the deployment's issuer is alive in it."""
        self.delivery.authority.advance(int(seconds))
        assert self._foreign is not None
        for wake in self._foreign._wakes.values():
            wake.set()

    @asynccontextmanager
    async def fetching(self) -> AsyncIterator["FetchingGuard"]:
        """As a started guard does: returns when every issuer was asked once."""
        assert self._foreign is not None
        self._loop = asyncio.get_running_loop()
        task = asyncio.create_task(self._foreign.run())
        await asyncio.sleep(0)
        try:
            await self._foreign.first()
            yield self
        finally:
            task.cancel()
            await asyncio.wait({task})


def foreign_guard(
    authority: Authority, *urls: str, issuer: str = ISSUER, policy: Policy = "deny", **more: Any
) -> FetchingGuard:
    """A guard that takes tokens of one foreign issuer."""
    return FetchingGuard(authority, policy=policy, jwks={issuer: urls}, **more)


def mint(authority: Authority, key: PrivateKey, issuer: str = ISSUER, **claims: Any) -> str:
    """A token of a foreign issuer for the deployment's service."""
    usual = {
        "iss": issuer,
        "aud": authority.audience,
        "sub": "alice",
        "client_id": "app",
        "iat": authority.now,
        "exp": authority.now + 300,
        "jti": "foreign-1",
    }
    return sign_token({**usual, **claims}, key)
