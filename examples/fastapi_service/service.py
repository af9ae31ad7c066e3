"""A service whose tokens can be revoked. REVOCAST_ISSUER, REVOCAST_AUDIENCE and REVOCAST_KAFKA say whose and where."""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Security

from revocast.sdk import Claims, Guard

logging.basicConfig(level=os.environ.get("REVOCAST_LOG_LEVEL", "warning").upper())
guard = Guard.from_env()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with guard:  # serves no request before it knows what is revoked
        yield


app = FastAPI(title="A service that refuses revoked tokens", lifespan=lifespan)


@app.get("/whoami")
async def whoami(claims: Annotated[Claims, Security(guard.required(), scopes=["read"])]) -> dict[str, str]:
    return {"sub": claims["sub"]}


@app.get("/healthz")
async def healthz() -> dict[str, Any]:
    return guard.health().as_dict()
