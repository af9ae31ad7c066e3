"""Assembly of the HTTP API."""

from fastapi import FastAPI

from revocast.streams.http.problems import add_problems
from revocast.streams.http.status import Served, status_routes
from revocast.streams.http.table import table_routes

__all__ = ["build_api"]


def build_api(worker: Served) -> FastAPI:
    """The API of one worker; its description is at `/openapi.json`, readable at `/docs`."""
    api = FastAPI(
        title="Revocast streams",
        summary="Look-ups, counts and health of the verified revocation table.",
        description="What nobody can answer for certain is an error (RFC 9457), never “not revoked”.",
    )
    api.include_router(table_routes(worker.view, worker.control.trust, worker.peers))
    api.include_router(status_routes(worker))
    add_problems(api)
    return api
