"""Client credentials in a request: `client_secret_basic` or `client_secret_post` (RFC 6749 §2.3.1), never both."""

import base64
import binascii
import re
from typing import Final
from urllib.parse import unquote_plus

from authlib.oauth2.rfc6749 import ClientMixin, InvalidRequestError

from revocast.issuer.authority.registry import Client
from revocast.issuer.oauth.errors import ClientRefused
from revocast.issuer.oauth.request import OAuthRequest

__all__ = ["AUTH_METHODS", "AuthenticatedClient", "credentials"]

AUTH_METHODS: Final = ("client_secret_basic", "client_secret_post")
_ID: Final = re.compile(r"[\x21-\x7e]{1,255}")  # RFC 6749 Appendix A.1, and how long ours are


class AuthenticatedClient(ClientMixin):
    """Authlib's view of a client of ours that has authenticated."""

    def __init__(self, client: Client) -> None:
        self.registered = client

    def get_client_id(self) -> str:
        """RFC 6749 §2.2."""
        return self.registered.client_id

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether the client may use a grant; all of ours are confidential and act for themselves."""
        return grant_type == "client_credentials"


def credentials(request: OAuthRequest) -> tuple[str, str]:
    """Client id and secret. Raises `ClientRefused` where there are none, `InvalidRequestError` for two kinds at once."""
    client_id, secret = _given(request)
    if not _ID.fullmatch(client_id):
        raise ClientRefused()  # no id of ours, and perhaps nothing that the database takes
    return client_id, secret


def _given(request: OAuthRequest) -> tuple[str, str]:
    posted_id, posted_secret = request.form.get("client_id"), request.form.get("client_secret")
    if not request.authorization:
        if posted_id and posted_secret:
            return posted_id, posted_secret
        raise ClientRefused()
    if posted_secret or len(request.authorization) > 1:
        raise InvalidRequestError("The client uses more than one authentication method.")
    client_id, secret = _basic(request.authorization[0])
    if posted_id not in (None, client_id):
        raise ClientRefused()
    return client_id, secret


def _basic(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise ClientRefused()
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
        client_id, colon, secret = text.partition(":")
        # RFC 6749 §2.3.1: both were form-encoded before they were joined.
        decoded = unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict")
    except (binascii.Error, UnicodeDecodeError):
        raise ClientRefused() from None
    if not colon or not all(decoded):
        raise ClientRefused()
    return decoded
