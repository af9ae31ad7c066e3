"""Who may ask for tokens, and for which services: clients and resource servers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Client", "RegisteredClient", "ResourceServer"]


@dataclass(frozen=True, slots=True)
class Client:
    """An OAuth client. `access` maps an audience to the scopes it may have there.

    `introspects`: the audiences for which it may introspect tokens (a resource server's own client).
    """

    client_id: str
    name: str
    access: Mapping[str, frozenset[str]]
    introspects: frozenset[str] = field(default_factory=frozenset)
    created_at: int = 0
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    """A client beside its secret, which is shown this once and stored as an argon2id hash only."""

    client: Client
    client_secret: str


@dataclass(frozen=True, slots=True)
class ResourceServer:
    """A service that takes our tokens: its audience and the scopes it knows."""

    audience: str
    name: str
    scopes: frozenset[str]
    created_at: int = 0
