"""The scopes of the operator API."""

from enum import StrEnum

__all__ = ["Scope"]


class Scope(StrEnum):
    """What an operator's token may do. `revocast init` gives its first operator all of them."""

    REVOKE = "revocast:revoke"
    REVOKE_MANY = "revocast:revoke-many"
    LIFT = "revocast:lift"
    READ = "revocast:read"
    KEYS = "revocast:keys"
    CLIENTS = "revocast:clients"
    MINT = "revocast:mint"
    TRUST = "revocast:trust"

    @property
    def description(self) -> str:
        """For consent screens and the API's documentation."""
        return {
            Scope.REVOKE: "Write revocations",
            Scope.REVOKE_MANY: "Write the revocations of a whole file",
            Scope.LIFT: "Lift revocations",
            Scope.READ: "Read revocations, keys, clients, the log and the status; explain a token",
            Scope.KEYS: "Rotate and revoke token-signing keys",
            Scope.CLIENTS: "Register clients and resource servers",
            Scope.MINT: "Mint a user's token on behalf of a client",
            Scope.TRUST: "Make event keys, and bring delegation lists that the root signed",
        }[self]
