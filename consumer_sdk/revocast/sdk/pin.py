"""Trust on first use: fetch the issuer's delegation list over TLS once, and pin the root that signed it.

Plain HTTP is taken from loopback only, and no redirect is followed: the pin is worth what the connection is worth.
"""

import ssl
import urllib.error
import urllib.request
from typing import Any, Final

from revocast.schemas.delegations import DelegationList
from revocast.schemas.errors import SchemaError
from revocast.schemas.events import MAX_EVENT_BYTES, Envelope
from revocast.schemas.jose import thumbprint
from revocast.sdk.errors import PinFailed
from revocast.sdk.loopback import is_loopback

__all__ = ["fetch_list", "root_of"]

_PATH: Final = "/.well-known/revocast"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def fetch_list(issuer: str, timeout: float, tls: ssl.SSLContext) -> bytes:
    """The issuer's signed delegation list; `tls` judges its certificate. Blocks for up to `timeout` seconds.

    Raises `PinFailed`.
    """
    local = is_loopback(issuer)
    if not issuer.startswith("https://") and not (local and issuer.startswith("http://")):
        raise PinFailed("The issuer is not an https URL, so its root cannot be pinned on first use.")
    handlers: list[urllib.request.BaseHandler] = [_NoRedirect(), urllib.request.HTTPSHandler(context=tls)]
    if local:
        handlers.append(urllib.request.ProxyHandler({}))
    try:
        opener = urllib.request.build_opener(*handlers)
        with opener.open(issuer.rstrip("/") + _PATH, timeout=timeout) as answer:
            value: bytes = answer.read(MAX_EVENT_BYTES + 1)
    except (urllib.error.URLError, OSError, ValueError) as error:
        problem = getattr(error, "reason", None) or type(error).__name__
        raise PinFailed(f"The issuer's delegation list cannot be fetched: {problem}.") from None
    return value.strip()


def root_of(value: bytes, issuer: str) -> str:
    """The thumbprint of the newest root of a delegation list that this root signed. Raises `PinFailed`."""
    try:
        envelope = Envelope.parse(value)
        event = envelope.event()
        listed = DelegationList.from_event(event)
        root = listed.roots.chain(thumbprint(listed.roots.first), issuer).last
    except SchemaError as error:
        raise PinFailed(f"What the issuer serves is not a delegation list: {error}.") from None
    if event.issuer != issuer:
        raise PinFailed("The delegation list is of another issuer.")
    if not envelope.verified_by(root):
        raise PinFailed("The delegation list is not signed by its own root.")
    return root.kid
