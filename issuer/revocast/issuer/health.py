"""Liveness and readiness, for orchestrators.

Ready means: the database answers and a key can sign. Kafka may be away: revocations are then durable and `pending`, tokens
are issued, and every service keeps enforcing what it has; taking the issuer out of service would only make that worse.
"""

import logging
from collections.abc import Callable

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from revocast.issuer.authority.answers import RelayReport
from revocast.issuer.errors import IssuerError
from revocast.issuer.service import Service

__all__ = ["health_routes"]

log = logging.getLogger(__name__)


def health_routes(service: Service, relay: Callable[[], RelayReport]) -> APIRouter:
    """`/healthz` and `/readyz`. Public, so they say nothing about what is revoked."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz", summary="Whether the process answers")
    async def healthz() -> dict[str, str]:  # in the loop: an exhausted thread pool is no reason to be killed
        return {"status": "ok"}

    @router.get(
        "/readyz",
        summary="Whether the authority can decide",
        responses={503: {"description": "The database or the signing key is not there"}},
    )
    def readyz() -> Response:
        try:
            service.check_ready()
        except IssuerError as error:
            log.warning("not ready: %s", error)
            return JSONResponse({"status": "unavailable", "code": error.code}, 503)
        return JSONResponse({"status": "ok", "relay": relay().state})

    return router
