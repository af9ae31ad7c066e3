"""The key lifecycle, as a table."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["KeyState", "TokenKey"]


class KeyState(StrEnum):
    """Where a token-signing key stands."""

    ANNOUNCED = "announced"
    ACTIVE = "active"
    RETIRING = "retiring"
    RETIRED = "retired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A token-signing key's public side. Times are seconds; None: not reached.

    `announced_at` is when Kafka acknowledged the key set that first listed it.
    """

    kid: str
    alg: str
    jwk: dict[str, str]
    state: KeyState
    created_at: int
    announced_at: int | None = None
    activated_at: int | None = None
    retiring_at: int | None = None
    retired_at: int | None = None
    revoked_at: int | None = None
