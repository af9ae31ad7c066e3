"""All operator routes."""

from fastapi import APIRouter

from revocast.issuer.operators.bulk.routes import bulk_routes
from revocast.issuer.operators.clients import client_routes
from revocast.issuer.operators.context import Context
from revocast.issuer.operators.keys import key_routes
from revocast.issuer.operators.log import log_routes
from revocast.issuer.operators.revocations import revocation_routes
from revocast.issuer.operators.snapshots import snapshot_routes
from revocast.issuer.operators.status import status_routes
from revocast.issuer.operators.tokens import token_routes
from revocast.issuer.operators.trust import trust_routes

__all__ = ["operator_routes"]


def operator_routes(context: Context) -> list[APIRouter]:
    """`/v1/…`, a router for each concern."""
    groups = (
        revocation_routes,
        bulk_routes,
        token_routes,
        key_routes,
        trust_routes,
        client_routes,
        log_routes,
        snapshot_routes,
        status_routes,
    )
    return [group(context) for group in groups]
