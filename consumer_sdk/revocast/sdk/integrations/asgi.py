"""Any ASGI application: requests without a good token never reach it; it finds the claims in `scope["revocast.claims"]`."""

import json
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import TYPE_CHECKING, Any, Final

from revocast.sdk.errors import RevocastError

if TYPE_CHECKING:
    from revocast.sdk.guard import Guard
    from revocast.sdk.policy import Policy

__all__ = ["RevocastMiddleware"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_REFUSE_IN_HANDSHAKE: Final = "websocket.http.response"


class RevocastMiddleware:
    """`scopes` are needed by every request; `public_paths` (exact, with the mount point) need no token.

    `freshness` stands in for the guard's policy: `deny`, `allow` or `introspect`.
    """

    def __init__(
        self,
        app: Application,
        guard: "Guard",
        *,
        scopes: Collection[str] = (),
        public_paths: Collection[str] = (),
        freshness: "Policy | None" = None,
    ) -> None:
        guard.check_freshness(freshness)
        self._app = app
        self._guard = guard
        self._scopes = tuple(scopes)
        self._public = frozenset(public_paths)
        self._freshness = freshness

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        kind = scope["type"]
        if kind not in (
            "http",
            "websocket",
            "lifespan",
        ):  # whatever comes after them has no answer here that refuses
            raise NotImplementedError(f"{kind}: connections of this type cannot be judged")
        if kind == "lifespan" or scope["path"] in self._public:
            await self._app(scope, receive, send)
            return
        headers = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
        try:
            scope["revocast.claims"] = await self._guard.averify_request(
                headers, scopes=self._scopes, freshness=self._freshness
            )
        except RevocastError as error:
            await _refuse(error, scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def _refuse(error: RevocastError, scope: Scope, receive: Receive, send: Send) -> None:
    kind = "http.response"
    if scope["type"] == "websocket":
        await receive()  # websocket.connect
        if _REFUSE_IN_HANDSHAKE not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1008, "reason": error.code})
            return
        kind = _REFUSE_IN_HANDSHAKE
    body = json.dumps({"detail": {"code": error.code, "description": error.description}}).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **error.headers()}
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": f"{kind}.start", "status": error.status, "headers": encoded})
    await send({"type": f"{kind}.body", "body": body})
