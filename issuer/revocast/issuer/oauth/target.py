"""Which resource server a token is for (RFC 8707), and with which scope (RFC 6749 §3.3). Pure."""

from collections.abc import Sequence

from authlib.oauth2.rfc6749 import InvalidScopeError

from revocast.issuer.authority.registry import Client
from revocast.issuer.oauth.errors import InvalidTarget

__all__ = ["audience_for", "scope_for"]


def audience_for(client: Client, resources: Sequence[str]) -> str:
    """The one audience of the token: what was asked for, or the only one that the client has.

    One token is for one service, so that a service that is broken into cannot use it elsewhere (RFC 9700 §2.3).
    """
    if len(resources) > 1:
        raise InvalidTarget("A token is for one resource. Ask for one token each.")
    if not resources and len(client.access) != 1:
        raise InvalidTarget("The client has access to several resources or none. Name one with resource.")
    audience = resources[0] if resources else next(iter(client.access))
    if audience not in client.access:
        # The same for a resource that does not exist, so that names cannot be guessed.
        raise InvalidTarget("The client has no access to this resource.")
    return audience


def scope_for(client: Client, audience: str, scope: str | None) -> list[str] | None:
    """The scope to grant; None: all that the client may have there. Never narrows silently: raises `InvalidScopeError`."""
    if scope is None:
        return None
    asked = list(dict.fromkeys(scope.split(" ")))
    if not set(asked) <= client.access[audience]:
        raise InvalidScopeError()
    return asked
