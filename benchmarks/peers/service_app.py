"""The same FastAPI service four times: without authentication, with PyJWT, with PyJWT and a look-up in Redis, with a guard."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import jwt
from fastapi import Depends, FastAPI, HTTPException, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from revocast.sdk import Claims, Guard

__all__ = ["guarded", "open_to_all", "pyjwt", "pyjwt_redis"]

Credentials = Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]


def open_to_all() -> FastAPI:
    """Whoever asks is answered."""
    return _service()


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
    guard = Guard.from_env()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with guard:
            yield

    app = _service(lifespan=lifespan)

    @app.get("/whoami")
    async def whoami(
        claims: Annotated[Claims, Security(guard.required(), scopes=["read"])],
    ) -> dict[str, Any]:
        return {"sub": claims.subject}

    return app


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
