"""What anyone may read: server metadata (RFC 8414), the JWK set (RFC 7517) and the signed delegation list."""

from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from revocast.issuer.oauth.client_authentication import AUTH_METHODS
from revocast.issuer.service import Service

__all__ = ["metadata", "metadata_routes"]

_CACHEABLE: Final = {"Cache-Control": "public, max-age=60"}
"""A minute: who verifies by the JWK set alone learns of a revoked key only when it asks again."""


def metadata(issuer: str) -> dict[str, Any]:
    """RFC 8414 §2. Scopes are left out: their names would tell anyone which services there are."""
    base = issuer.rstrip("/")
    methods = list(AUTH_METHODS)
    return {
        "issuer": issuer,
        "token_endpoint": f"{base}/oauth/token",
        "token_endpoint_auth_methods_supported": methods,
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],  # REQUIRED by §2, and there is no authorization endpoint
        "revocation_endpoint": f"{base}/oauth/revoke",
        "revocation_endpoint_auth_methods_supported": methods,
        "introspection_endpoint": f"{base}/oauth/introspect",
        "introspection_endpoint_auth_methods_supported": methods,
        "jwks_uri": f"{base}/.well-known/jwks.json",
        "service_documentation": f"{base}/docs",
    }


def metadata_routes(service: Service) -> APIRouter:
    """The well-known documents."""
    router = APIRouter(tags=["well-known"])
    document = metadata(service.issuer)
    # RFC 8414 §3.1: an issuer's path comes after the well-known part.
    path = urlsplit(service.issuer).path.rstrip("/")

    @router.get(f"/.well-known/oauth-authorization-server{path}", summary="Server metadata (RFC 8414)")
    def server_metadata() -> Response:
        return JSONResponse(document, headers=_CACHEABLE)

    @router.get("/.well-known/jwks.json", summary="Keys under which access tokens verify (RFC 7517)")
    def jwks() -> Response:
        return JSONResponse(service.jwks(), headers=_CACHEABLE, media_type="application/jwk-set+json")

    @router.get(
        "/.well-known/revocast",
        summary="The newest delegation list, a Security Event Token",
        description="A guard without a configured root pins the root of this list on first use.",
    )
    def delegations() -> Response:
        return Response(service.delegations(), headers=_CACHEABLE, media_type="application/secevent+jwt")

    return router
