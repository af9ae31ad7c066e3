"""OAuth errors that Authlib lacks, or would word so that they tell too much."""

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidClientError, UnsupportedGrantTypeError

__all__ = ["ClientRefused", "InvalidTarget", "TemporarilyUnavailable", "UnsupportedGrant"]


class ClientRefused(InvalidClientError):
    """RFC 6749 §5.2 `invalid_client`. One text for an unknown id, a wrong secret and a disabled client."""

    description = "Client authentication failed."
    status_code = 401

    def get_headers(self) -> list[tuple[str, str]]:
        """The headers of every JSON answer, and the challenge (RFC 7617)."""
        return [
            *OAuth2Error.get_headers(self),
            ("WWW-Authenticate", 'Basic realm="revocast", charset="UTF-8"'),
        ]


class InvalidTarget(OAuth2Error):
    """RFC 8707 §2 `invalid_target`."""

    error = "invalid_target"


class UnsupportedGrant(UnsupportedGrantTypeError):
    """RFC 6749 §5.2 `unsupported_grant_type`, without repeating what was sent."""

    description = "This grant type is not supported. See grant_types_supported in the metadata of the server."


class TemporarilyUnavailable(OAuth2Error):
    """The database is away, or no key may sign yet. Nothing was done; the request can be repeated."""

    error = "temporarily_unavailable"
    description = "The server cannot answer now. Try again."
    status_code = 503

    def get_headers(self) -> list[tuple[str, str]]:
        """The headers of every JSON answer, and when to try again, in seconds."""
        return [*super().get_headers(), ("Retry-After", "1")]
