"""The OAuth endpoints as routes. Each runs in the thread pool: the authority is synchronous."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.openapi.models import HTTPBase
from fastapi.security.base import SecurityBase
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from revocast.issuer.oauth.request import OAuthRequest, read_oauth_request
from revocast.issuer.oauth.server import AuthorizationServer

__all__ = ["oauth_routes"]

Form = Annotated[OAuthRequest, Depends(read_oauth_request)]


def oauth_routes(server: AuthorizationServer, publish_timeout: float) -> APIRouter:
    """`/oauth/token`, `/oauth/revoke` (waits `publish_timeout` seconds for Kafka at most), `/oauth/introspect`."""
    router = APIRouter(prefix="/oauth", tags=["oauth"], dependencies=[Depends(_ClientSecretBasic())])

    @router.post(
        "/token",
        summary="Get an access token (RFC 6749 §4.4, RFC 9068)",
        openapi_extra=_form(
            {
                "grant_type": "client_credentials",
                "resource": "audience of a registered resource server (RFC 8707); may be left out if there is one only",
                "scope": "space-separated; all that the client may have, if left out",
            },
            required=["grant_type"],
        ),
    )
    def token(request: Form) -> Response:
        return server.respond("token", request)

    @router.post(
        "/revoke",
        summary="Revoke a token of one's own (RFC 7009)",
        description="200 also for a token that is unknown, malformed or another client's: nothing happens then.",
        openapi_extra=_form(
            {"token": "the token", "token_type_hint": "accepted, not needed"}, required=["token"]
        ),
    )
    async def revoke(request: Form) -> Response:
        response = await run_in_threadpool(server.respond, "revocation", request)
        if request.receipt is not None:
            await server.service.published(request.receipt, publish_timeout)
        return response

    @router.post(
        "/introspect",
        summary="Ask whether a token is live (RFC 7662)",
        description="For the token's own client and the clients of its resource server.",
        openapi_extra=_form(
            {"token": "the token", "token_type_hint": "accepted, not needed"}, required=["token"]
        ),
    )
    def introspect(request: Form) -> Response:
        return server.respond("introspection", request)

    return router


class _ClientSecretBasic(SecurityBase):
    """Shows in OpenAPI that clients authenticate; `client_authentication` does it."""

    def __init__(self) -> None:
        self.model = HTTPBase(scheme="basic")
        self.scheme_name = "client_secret_basic"

    def __call__(self) -> None:
        """Nothing to do here."""


def _form(parameters: dict[str, str], required: list[str]) -> dict[str, Any]:
    described = {name: {"type": "string", "description": text} for name, text in parameters.items()}
    posted = {"client_id": {"type": "string"}, "client_secret": {"type": "string", "format": "password"}}
    schema = {"type": "object", "required": required, "properties": {**described, **posted}}
    return {
        "requestBody": {
            "required": True,
            "content": {"application/x-www-form-urlencoded": {"schema": schema}},
        },
    }
