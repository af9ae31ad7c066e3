"""The form of an OAuth request, parsed as strictly as RFC 6749 §3.2 and Appendix B ask."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qsl

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Request
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from starlette.requests import Request

from revocast.issuer.authority.revocations import Receipt

__all__ = ["OAuthRequest", "read_oauth_request"]

_FORM: Final = "application/x-www-form-urlencoded"
_MAX_PARAMETERS: Final = 32
_REPEATABLE: Final = frozenset({"resource", "audience"})  # RFC 8707 §2, RFC 8693 §2.1


class OAuthRequest(OAuth2Request):
    """Authlib's view of one request: parameters from the body alone, never from the URI."""

    def __init__(
        self, path: str, authorization: Sequence[str], parameters: Sequence[tuple[str, str]]
    ) -> None:
        # Authlib would judge the scheme of every request. Ours is judged once, when the settings are read: behind a
        # proxy that ends TLS, what a process sees here says nothing.
        super().__init__("POST", f"https://issuer.invalid{path}")
        self.authorization = authorization
        self.parameters = dict(parameters)
        self.payload = BasicOAuth2Payload(self.parameters)
        self.receipt: Receipt | None = None
        """What answering it wrote to the log."""
        self.resources = [value for name, value in parameters if name in _REPEATABLE]

    @property
    def form(self) -> dict[str, str]:
        """The parameters, each once."""
        return self.parameters


async def read_oauth_request(request: Request) -> OAuthRequest:
    """FastAPI dependency. Raises `InvalidRequestError` for anything but one well-formed form.

    A parameter without a value counts as omitted.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != _FORM:
        raise InvalidRequestError(f"The body must be {_FORM}.")
    try:
        body = (await request.body()).decode()
        pairs = parse_qsl(body, errors="strict", max_num_fields=_MAX_PARAMETERS)
    except ValueError:
        raise InvalidRequestError("The body is not a form in UTF-8, or has too many parameters.") from None
    once = [name for name, _ in pairs if name not in _REPEATABLE]
    if len(once) != len(set(once)):
        raise InvalidRequestError("A parameter is repeated.")
    return OAuthRequest(request.url.path, request.headers.getlist("authorization"), pairs)
