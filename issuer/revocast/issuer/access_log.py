"""The access log: what was called and how it ended. Nothing that a caller chose is in it, so no token can be.

A token or a subject could stand in a query, a header, a body, or a mistyped path; a line holds none of them, only the
route's template, a method that there is, and an address that is one (behind a proxy it is what a header said).
"""

import ipaddress
import logging
import time
from http import HTTPMethod

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from revocast.schemas.json_log import facts

__all__ = ["AccessLog"]

log = logging.getLogger(__name__)

_METHODS = frozenset(HTTPMethod)


class AccessLog:
    """ASGI middleware; one line a request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and watch the status."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.perf_counter()
        try:
            await self._app(scope, receive, watch)
        finally:
            route = getattr(scope.get("route"), "path", "-")
            method = scope["method"] if scope["method"] in _METHODS else "-"
            milliseconds = (time.perf_counter() - began) * 1000
            address, seconds = _address(scope), round(milliseconds / 1000, 6)
            said = facts(
                event="request", address=address, method=method, route=route, status=status, seconds=seconds
            )
            log.info("%s %s %s %d %.1f ms", address, method, route, status, milliseconds, extra=said)


def _address(scope: Scope) -> str:
    host, _, _ = (scope.get("client") or ("-",))[0].partition("%")  # an IPv6 zone may be any text
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return "-"
