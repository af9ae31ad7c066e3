"""Assembly of the HTTP API."""

from fastapi import FastAPI

from revocast.streams.chain_agent import ChainAgent
from revocast.streams.control import Clock, ControlReader
from revocast.streams.http.problems import add_problems
from revocast.streams.http.status import status_routes
from revocast.streams.http.table import table_routes
from revocast.streams.peers import Peers
from revocast.streams.snapshots.catalogue import Catalogue
from revocast.streams.snapshots.gatherer import Gatherer
from revocast.streams.view import View

__all__ = ["build_api"]


def build_api(
    view: View,
    control: ControlReader,
    chain: ChainAgent,
    catalogue: Catalogue,
    gatherer: Gatherer,
    peers: Peers,
    url: str,
    clock: Clock,
) -> FastAPI:
    """The API of one worker at `url`; its description is at `/openapi.json`, readable at `/docs`."""
    api = FastAPI(
        title="Revocast streams",
        summary="Look-ups, counts and health of the verified revocation table.",
        description="What nobody can answer for certain is an error (RFC 9457), never “not revoked”.",
    )
    api.include_router(table_routes(view, control.trust, peers))
    api.include_router(status_routes(view, control, chain, catalogue, gatherer, peers, url, clock))
    add_problems(api)
    return api
