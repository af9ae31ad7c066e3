"""Authlib's authorization server bound to our authority and to Starlette's responses."""

from collections.abc import Collection, Iterable, Mapping
from typing import Literal, cast

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationServer as AuthlibServer
from authlib.oauth2.rfc6749 import BaseGrant, InvalidRequestError, UnsupportedGrantTypeError
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from revocast.issuer.denials import Denials
from revocast.issuer.errors import NoSigningKey, NotInitialized, StorageUnavailable
from revocast.issuer.oauth.client_authentication import AuthenticatedClient, credentials
from revocast.issuer.oauth.client_credentials import ClientCredentialsGrant
from revocast.issuer.oauth.errors import ClientRefused, TemporarilyUnavailable, UnsupportedGrant
from revocast.issuer.oauth.introspection import IntrospectionEndpoint
from revocast.issuer.oauth.request import OAuthRequest
from revocast.issuer.oauth.revocation import RevocationEndpoint
from revocast.issuer.service import Service

__all__ = ["AuthorizationServer", "Endpoint", "handle_oauth_errors"]

Endpoint = Literal["token", "revocation", "introspection"]


class AuthorizationServer(AuthlibServer):
    """Grants and endpoints that exist; what is not registered here is refused (implicit, password: RFC 9700 §2)."""

    def __init__(self, service: Service, denials: Denials) -> None:
        super().__init__()
        self.service = service
        self.denials = denials
        self.register_grant(ClientCredentialsGrant)
        self.register_endpoint(RevocationEndpoint)
        self.register_endpoint(IntrospectionEndpoint)

    def respond(self, endpoint: Endpoint, request: OAuthRequest) -> Response:
        """Answer one request. Synchronous: run it in a thread pool."""
        try:
            if endpoint == "token":
                answer = self.create_token_response(request)
            else:
                answer = self.create_endpoint_response(endpoint, request)  # type: ignore[no-untyped-call]
            return cast(Response, answer)  # what `handle_response` made
        except OAuth2Error as error:
            return _error_response(error)
        except NoSigningKey as error:  # its words are ours, and say what to wait for
            return _error_response(TemporarilyUnavailable(description=str(error)))
        except (StorageUnavailable, NotInitialized):
            return _error_response(TemporarilyUnavailable())

    def authenticate_client(  # type: ignore[override]  # Authlib is handed our requests only
        self, request: OAuthRequest, methods: Collection[str], endpoint: str = "token"
    ) -> AuthenticatedClient:
        """Overridden whole: Authlib's tells an unknown client from a wrong secret, in text and in time."""
        client_id, secret = credentials(request)
        client = self.service.authenticate_client(client_id, secret)
        if client is None:
            self.denials.client(client_id, endpoint)
            raise ClientRefused()
        request.client = AuthenticatedClient(client)
        return request.client

    def get_token_grant(self, request: OAuthRequest) -> BaseGrant:  # type: ignore[override]
        """The grant that serves the request's `grant_type`."""
        if not request.form.get("grant_type"):
            raise InvalidRequestError("grant_type is missing.")
        try:
            return super().get_token_grant(request)
        except UnsupportedGrantTypeError as error:
            raise UnsupportedGrant(error.grant_type) from None

    def create_oauth2_request(self, request: OAuthRequest) -> OAuthRequest:
        """The FastAPI dependency made it already."""
        return request

    def handle_response(
        self, status: int, body: Mapping[str, object], headers: Mapping[str, str] | Iterable[tuple[str, str]]
    ) -> Response:
        """Authlib's triple as a response."""
        return JSONResponse(body, status, dict(headers))

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Nobody listens: what is worth telling is audited where it happens."""


def handle_oauth_errors(app: FastAPI) -> None:
    """Answer a request that is not even a form in the shape that OAuth clients expect."""

    def answer(_request: Request, error: Exception) -> Response:
        assert isinstance(error, OAuth2Error)
        return _error_response(error)

    app.add_exception_handler(OAuth2Error, answer)


def _error_response(error: OAuth2Error) -> Response:
    """RFC 6749 §5.2."""
    status, body, headers = error()
    return JSONResponse(body, status, dict(headers))
