"""Token introspection (RFC 7662): for authenticated clients, about tokens that concern them, against the deny state.

Everything else is `{"active": false}`: expired, revoked, malformed, foreign, and none of the caller's business look alike.
"""

from collections.abc import Mapping
from typing import Any

from authlib.oauth2 import rfc7662
from authlib.oauth2.rfc6749 import InvalidRequestError

from revocast.issuer.authority.registry import Client
from revocast.issuer.errors import TokenRejected
from revocast.issuer.oauth.client_authentication import AUTH_METHODS, AuthenticatedClient
from revocast.issuer.oauth.request import OAuthRequest

__all__ = ["IntrospectionEndpoint"]

Claims = Mapping[str, Any]


class IntrospectionEndpoint(rfc7662.IntrospectionEndpoint):
    """`POST /oauth/introspect`."""

    CLIENT_AUTH_METHODS = AUTH_METHODS

    def check_params(self, request: OAuthRequest, client: AuthenticatedClient) -> None:
        """Only `token` is required; the hint changes nothing (§2.1)."""
        if "token" not in request.form:
            raise InvalidRequestError("token is missing.")

    def query_token(self, token_string: str, token_type_hint: str | None) -> Claims | None:
        """The claims of a token that is live now."""
        try:
            claims: Claims = self.server.service.verify(token_string)
        except TokenRejected:
            return None
        return claims

    def check_permission(self, token: Claims, client: AuthenticatedClient, request: OAuthRequest) -> bool:
        """Whether the caller serves the token's audience, or is the client that it was issued to."""
        registered: Client = client.registered
        audiences = token["aud"] if isinstance(token["aud"], list) else [token["aud"]]
        return token["client_id"] == registered.client_id or not registered.introspects.isdisjoint(audiences)

    def create_introspection_payload(self, token: Claims | None) -> dict[str, Any]:
        """RFC 7662 §2.2."""
        if not token:
            return {"active": False}
        return {**token, "active": True, "token_type": "Bearer"}
