"""Which foreign issuers a service accepts, and where their JWK Sets are: the setting `jwks`."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from revocast.schemas.errors import JoseError, SettingsError
from revocast.schemas.strict_json import parse_json
from revocast.sdk.loopback import is_loopback

__all__ = ["read_jwks"]

_MAX_ISSUERS: Final = 32
_MAX_URLS: Final = 4


def read_jwks(value: Any) -> dict[str, tuple[str, ...]]:
    """By issuer its URLs, of a mapping, of a JSON object, or of `iss=url,iss=url`. Raises `SettingsError`."""
    given = _members(value) if isinstance(value, str) else value
    if not isinstance(given, Mapping):
        raise SettingsError("must be `iss=url,iss=url`, or a JSON object of issuers and their URLs")
    found: dict[str, tuple[str, ...]] = {}
    for issuer, urls in given.items():
        listed = (urls,) if isinstance(urls, str) else urls
        if not isinstance(issuer, str) or not issuer or not isinstance(listed, list | tuple) or not listed:
            raise SettingsError("must name for each issuer a URL, or a list of URLs")
        for url in listed:
            _check_url(issuer, url)
        found[issuer] = tuple(listed)
    if len(found) > _MAX_ISSUERS or any(len(urls) > _MAX_URLS for urls in found.values()):
        raise SettingsError(f"at most {_MAX_ISSUERS} issuers, and {_MAX_URLS} URLs of each")
    return found


def _members(text: str) -> Any:
    if text.lstrip().startswith("{"):
        try:
            return parse_json(text.encode(), max_depth=2, max_values=_MAX_ISSUERS * (_MAX_URLS + 2))
        except JoseError as error:
            raise SettingsError(f"is not strict JSON ({error})") from None
    found: dict[str, list[str]] = {}
    for pair in text.split(","):
        issuer, equals, url = pair.strip().partition("=")
        if not equals:
            raise SettingsError(
                "must be `iss=url,iss=url`; where a URL has a comma or an issuer a `=`, a JSON object"
            )
        found.setdefault(issuer.strip(), []).append(url.strip())
    return found


def _check_url(issuer: str, url: Any) -> None:
    try:
        parts = urlsplit(url) if isinstance(url, str) and url.isascii() else None
        if parts is None or not parts.hostname or parts.port == 0:
            parts = None
    except ValueError:
        parts = None
    if parts is None:
        raise SettingsError(f"issuer {issuer}: its URL is none")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(url)):
        raise SettingsError(f"issuer {issuer}: its URL must be https, because its keys come over it")
    if "@" in parts.netloc or parts.fragment:
        raise SettingsError(f"issuer {issuer}: its URL must have neither a login nor a fragment")
