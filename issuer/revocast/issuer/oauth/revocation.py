"""Token revocation (RFC 7009).

* A client may revoke its own tokens, and nothing else. An unknown, malformed or foreign token, or another client's, is
  answered like a revoked one (§2.2: the client's purpose is met, or none of its business) and changes nothing.
* Another client's token is audited: whoever holds it should not.
* `token_type_hint` is only a hint (§2.1): a wrong or unknown one changes nothing.
"""

from typing import Any

from authlib.oauth2 import rfc7009
from authlib.oauth2.rfc6749 import InvalidRequestError

from revocast.issuer.authority.revocations import Revocation
from revocast.issuer.errors import TokenRejected
from revocast.issuer.oauth.client_authentication import AUTH_METHODS, AuthenticatedClient
from revocast.issuer.oauth.request import OAuthRequest
from revocast.schemas.jose import parse_compact, parse_json

__all__ = ["RevocationEndpoint"]

_MAX_TOKEN_BYTES = 16_384


class RevocationEndpoint(rfc7009.RevocationEndpoint):
    """`POST /oauth/revoke`."""

    CLIENT_AUTH_METHODS = AUTH_METHODS

    def check_params(self, request: OAuthRequest, client: AuthenticatedClient) -> None:
        """Only `token` is required."""
        if "token" not in request.form:
            raise InvalidRequestError("token is missing.")

    def authenticate_token(self, request: OAuthRequest, client: AuthenticatedClient) -> Revocation | None:
        """The revocation that ends the token, where the token is this client's."""
        self.check_params(request, client)
        token = request.form["token"]
        try:
            revocation: Revocation = self.server.service.revocation_of(token)
        except TokenRejected:
            return None
        # The signature was checked just now, so these are our own words.
        claims: dict[str, Any] = parse_json(parse_compact(token, _MAX_TOKEN_BYTES).payload)
        if claims.get("client_id") != client.get_client_id():
            self.server.denials.token_revocation(client.get_client_id(), owner=claims.get("client_id"))
            return None
        return revocation

    def revoke_token(self, token: Revocation, request: OAuthRequest) -> None:
        """Write the revocation; it is durable when this returns. The route waits until Kafka has it."""
        client_id = request.client.get_client_id() if request.client else ""
        request.receipt = self.server.service.revoke(
            [token], [], actor=f"client:{client_id}", reason="revoked by its client"
        )
