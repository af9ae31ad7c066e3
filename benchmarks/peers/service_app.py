"""The same FastAPI service in every way to judge tokens: not at all, with PyJWT, with PyJWT and Redis, with a guard."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import jwt
from fastapi import Depends, FastAPI, HTTPException, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from revocast.sdk import Claims, Guard
from revocast.sdk.integrations.asgi import RevocastMiddleware

__all__ = ["behind_middleware", "guarded", "open_to_all", "pyjwt", "pyjwt_redis", "unchecked"]

Credentials = Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]


def open_to_all() -> FastAPI:
    """Whoever asks is answered."""
    return _service()


def unchecked() -> FastAPI:
    """FastAPI finds the token, and nobody looks at it: what its own machinery takes."""
    app = _service()

    @app.get("/whoami")
    async def whoami(credentials: Credentials) -> dict[str, Any]:
        return {"sub": credentials.credentials[:6]}

    return app


def pyjwt() -> FastAPI:
    """A decode for each request."""
    app = _service()

    @app.get("/whoami")
    async def whoami(credentials: Credentials) -> dict[str, Any]:
        return {"sub": _decoded(credentials)["sub"]}

    return app


def pyjwt_redis() -> FastAPI:
    """A decode and a `GET` for each request."""
    import redis.asyncio

    store: Any = redis.asyncio.Redis(port=int(os.environ["BENCH_REDIS"]))
    app = _service()

    @app.get("/whoami")
    async def whoami(credentials: Credentials) -> dict[str, Any]:
        claims = _decoded(credentials)
        if await store.get(f"revoked:{claims['jti']}") is not None:
            raise HTTPException(401, "revoked")
        return {"sub": claims["sub"]}

    return app


def guarded() -> FastAPI:
    """The guard as README shows it."""
    guard, app = _with_guard()

    @app.get("/whoami")
    async def whoami(
        claims: Annotated[Claims, Security(guard.required(), scopes=["read"])],
    ) -> dict[str, Any]:
        return {"sub": claims.subject}

    return app


def behind_middleware() -> FastAPI:
    """The guard in front of the application."""
    guard, app = _with_guard()

    @app.get("/whoami")
    async def whoami(request: Request) -> dict[str, Any]:
        return {"sub": request.scope["revocast.claims"].subject}

    app.add_middleware(RevocastMiddleware, guard=guard, scopes=["read"], public_paths=["/healthz"])
    return app


def _with_guard() -> tuple[Guard, FastAPI]:
    guard = Guard.from_env()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with guard:
            yield

    return guard, _service(lifespan=lifespan)


def _service(**options: Any) -> FastAPI:
    app = FastAPI(**options)

    @app.get("/healthz")
    @app.get("/open")
    async def healthz() -> dict[str, str]:
        return {"sub": "good-1"}

    return app


_KEY: Any = jwt.PyJWK(json.loads(os.environ["BENCH_JWK"])).key if "BENCH_JWK" in os.environ else None
_ISSUER, _AUDIENCE = os.environ.get("REVOCAST_ISSUER"), os.environ.get("REVOCAST_AUDIENCE")


def _decoded(credentials: HTTPAuthorizationCredentials) -> dict[str, Any]:
    try:
        return jwt.decode(credentials.credentials, _KEY, ["RS256"], issuer=_ISSUER, audience=_AUDIENCE)
    except jwt.PyJWTError as error:
        raise HTTPException(401, "invalid token") from error
