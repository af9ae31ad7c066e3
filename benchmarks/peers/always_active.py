"""An introspection endpoint that knows one answer: what asking over HTTP costs before anything is looked up."""

from typing import Any

__all__ = ["app"]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """ASGI."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"active":true}'})
