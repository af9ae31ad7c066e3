"""One request for a JWK Set, bounded in time and size. The URL is the operator's: nothing that a token says leads here.

HTTPS only (plain HTTP: to loopback), with the host and chain checked; no redirect is followed, because the keys are worth what the
connection to that very place is worth; an answer is measured as it was sent, so it must not be compressed.
"""

import asyncio
import re
import ssl
from typing import Final

import httpx

from revocast.sdk.jwks.caching import Answer, freshness_lifetime
from revocast.sdk.jwks.document import NotAKeySet
from revocast.sdk.loopback import is_loopback

__all__ = ["Fetcher"]

MAX_BYTES: Final = 256 * 1024
_ETAG: Final = re.compile(r'(W/)?"[\x21\x23-\x7E]{0,256}"')  # RFC 9110 §8.8.3


class Fetcher:
    """`timeout` bounds a whole request, in seconds."""

    def __init__(self, tls: ssl.SSLContext, timeout: float) -> None:
        self._tls = tls
        self._timeout = timeout

    async def fetch(self, url: str, etag: str) -> Answer:
        """Ask; with an `etag`, only for another set than that one. Raises `NotAKeySet`, which says why in plain words."""
        headers = {"Accept": "application/jwk-set+json, application/json", "Accept-Encoding": "identity"}
        if etag:
            headers["If-None-Match"] = etag
        try:
            # A client for each request: they are minutes apart, and a connection kept so long is mostly a dead one.
            async with (
                asyncio.timeout(self._timeout),
                httpx.AsyncClient(
                    verify=self._tls, timeout=self._timeout, headers=headers, trust_env=not is_loopback(url)
                ) as client,
                client.stream("GET", url) as answer,
            ):
                return await _read(answer, asked_for_change=bool(etag))
        except TimeoutError:
            raise NotAKeySet("no answer in time") from None
        # Its transport lets other errors out: a name or a port in the URL that the system cannot take.
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, ExceptionGroup) as error:
            raise NotAKeySet(f"it cannot be reached ({_cause(error)})") from None


async def _read(answer: httpx.Response, *, asked_for_change: bool) -> Answer:
    headers = answer.headers
    lifetime = freshness_lifetime(headers.get("Cache-Control", ""), headers.get("Age", ""))
    if answer.status_code == 304 and asked_for_change:
        return Answer(None, "", lifetime)
    if answer.has_redirect_location:
        raise NotAKeySet(
            f"HTTP status {answer.status_code}: redirects are not followed, configure the final URL"
        )
    if answer.status_code != 200:
        raise NotAKeySet(f"HTTP status {answer.status_code}")
    if headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise NotAKeySet("the answer is compressed, which it was asked not to be")
    body = bytearray()
    async for chunk in answer.aiter_raw():
        body += chunk
        if len(body) > MAX_BYTES:
            raise NotAKeySet(f"the answer is longer than {MAX_BYTES} bytes")
    etag = headers.get("ETag", "")
    return Answer(bytes(body), etag if _ETAG.fullmatch(etag) else "", lifetime)


def _cause(error: BaseException) -> str:
    """The innermost kind of error: that of the TLS library says more than that of the HTTP client."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    return type(error).__name__
