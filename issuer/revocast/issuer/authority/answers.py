"""What the authority answers about a token, its log and itself."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from revocast.issuer.authority.revocations import Part
from revocast.schemas.row import ROW_SIZE, Row
from revocast.schemas.selector import Selector

__all__ = ["Explanation", "Finding", "LogEntry", "MintedToken", "PublicationState", "RelayReport", "Status"]

PublicationState = Literal["published", "pending"]


@dataclass(frozen=True, slots=True)
class MintedToken:
    """A signed RFC 9068 access token and the claims in it."""

    token: str
    claims: Mapping[str, Any]

    @property
    def expires_in(self) -> int:
        """Lifetime in seconds."""
        return int(self.claims["exp"]) - int(self.claims["iat"])

    @property
    def scope(self) -> str:
        """The granted scope (RFC 6749 §3.3)."""
        return str(self.claims.get("scope", ""))


@dataclass(frozen=True, slots=True)
class Finding:
    """One selector that a token has, and the live rows that stand for it."""

    selector: Selector
    fingerprint: bytes
    rows: tuple[Row, ...]
    refused_by: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What every current service would answer for a token, and why. `reason` is a stable code ("ok" when accepted)."""

    answer: Literal["accepted", "refused"]
    reason: str
    claims: Mapping[str, Any] | None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One record of the log. `compact` is None until the relay signed it. `parts`: who asked for which rows, in their order."""

    epoch: int
    n: int
    t: int
    hash: bytes
    prev: bytes
    rows: tuple[Row, ...]
    actor: str
    reason: str
    parts: tuple[Part, ...]
    compact: bytes | None
    published: bool


@dataclass(frozen=True, slots=True)
class RelayReport:
    """What the relay of this process does: `state` is "stopped", "standby", "connecting", "publishing" or "refusing"."""

    state: str = "stopped"
    problem: str | None = None
    checkpoint_at: int | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """The authority at a glance. `table` is the canonical bytes of the state at `n`: what every reader holds there.

    `warnings` are for people (a delegation list that expires soon, a log that is ahead).
    """

    issuer: str
    root: str
    epoch: int
    n: int
    t: int
    published_n: int
    table: bytes = field(repr=False)
    key_set_version: int
    delegations_version: int
    delegations_expire_at: int
    audit_backlog: int
    relay: RelayReport
    warnings: tuple[str, ...] = field(default_factory=tuple)

    @property
    def table_rows(self) -> int:
        """How many rows are live at `n`."""
        return len(self.table) // ROW_SIZE

    @property
    def table_digest(self) -> bytes:
        """SHA-256 of the table's bytes."""
        return hashlib.sha256(self.table).digest()
