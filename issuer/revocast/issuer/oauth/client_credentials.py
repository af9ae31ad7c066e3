"""The client credentials grant (RFC 6749 §4.4), answering RFC 9068 access tokens."""

from typing import Any

from authlib.oauth2.rfc6749 import UnauthorizedClientError, grants

from revocast.issuer.authority.registry import Client
from revocast.issuer.errors import AccessDenied, InvalidRequest, NotFound
from revocast.issuer.oauth.client_authentication import AUTH_METHODS
from revocast.issuer.oauth.target import audience_for, scope_for

__all__ = ["ClientCredentialsGrant"]


class ClientCredentialsGrant(grants.ClientCredentialsGrant):
    """Authlib's grant, with the audience and scope rules of `target` and the authority's mint."""

    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS
    audience: str
    granted: list[str] | None

    def validate_requested_scope(self) -> None:
        """Called by Authlib once the client has authenticated."""
        client: Client = self.client.registered
        self.audience = audience_for(client, self.request.resources)  # type: ignore[attr-defined]
        self.granted = scope_for(client, self.audience, self.request.form.get("scope"))

    def create_token_response(self) -> tuple[int, dict[str, Any], Any]:  # type: ignore[override]  # the stub is wrong
        """RFC 6749 §5.1. Overridden whole: Authlib's own writes the token to its debug log."""
        try:
            minted = self.server.service.mint(self.client.get_client_id(), self.audience, self.granted)
        except (AccessDenied, InvalidRequest, NotFound):
            raise UnauthorizedClientError("The client may not have a token now.") from None
        body = {"access_token": minted.token, "token_type": "Bearer", "expires_in": minted.expires_in}
        if minted.scope:
            body["scope"] = minted.scope
        return 200, body, self.TOKEN_RESPONSE_HEADER
