"""A service for the tests of many workers: `asgi` for uvicorn, `started` for gunicorn. Its settings come from the environment.

`/<token>` answers with what the guard of whichever worker says of it; `/` with the worker's pid and what its guard is.
"""

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

from revocast.sdk import Guard, RevocastError

__all__ = ["asgi", "started"]

guard = Guard.from_env()


def answer(path: str) -> bytes:
    word: dict[str, Any] = {"pid": os.getpid()}
    try:
        if token := path.lstrip("/"):
            guard.verify(token)
        health = guard.health()
        word |= {"code": "good", "state": health.state, "base": health.size.base_rows, "n": health.n}
    except RevocastError as error:
        word["code"] = error.code
    return json.dumps(word).encode()


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "application/json"), ("Connection", "close")])
    return [answer(environ["PATH_INFO"])]


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await guard.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await guard.stop()
        await send({"type": "lifespan.shutdown.complete"})
        return
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer(scope["path"])})


def started() -> Any:
    """For `gunicorn --preload`: the guard runs before the workers are forked."""
    guard.__enter__()
    return wsgi
