"""What an operator asks for, and what was written: revocations, lifts and their receipt.

The log knows fingerprints only. What was taken in from it after a restore is `Unnamed` until somebody names it again.
"""

from dataclasses import dataclass

from revocast.schemas.row import Row, Slot
from revocast.schemas.selector import Selector

__all__ = ["Lift", "Named", "Part", "Receipt", "Revocation", "Revoked", "Unnamed", "Written"]


@dataclass(frozen=True, slots=True)
class Unnamed:
    """A selector of which the fingerprint is known and the values are not: its row came back from the log."""

    issuer: str
    kind: str
    fingerprint: bytes

    @property
    def values(self) -> tuple[str, ...]:
        """Not known."""
        return ()


Named = Selector | Unnamed
"""What a row of this authority's own table stands for, as far as it is known."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """Refuse what `selector` matches.

    `cutoff` (seconds) is for the cutoff slot only; None: the time of the record. `expires_at` (seconds, `NEVER`) None:
    by the rule of `authority.expiry`.
    """

    selector: Selector
    slot: Slot
    cutoff: int | None = None
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class Lift:
    """Empty one slot of a selector."""

    selector: Named
    slot: Slot


@dataclass(frozen=True, slots=True)
class Written:
    """One row of a record beside the selector that only the issuer knows in the clear."""

    selector: Named
    row: Row


@dataclass(frozen=True, slots=True)
class Part:
    """The next `rows` rows of a record: who asked for them, and why."""

    rows: int
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a request stands in the log: it holds once record `n` of `epoch` is applied.

    `changed` is False when the table already said so and no record was needed; `n` is then the newest record.
    `dry_run`: `n` and `t` are what they would have been.
    """

    epoch: int
    n: int
    t: int
    rows: tuple[Written, ...]
    changed: bool = True
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Revoked:
    """One live row of the authority's own table, in the clear."""

    selector: Named
    row: Row
    epoch: int
    n: int
    t: int
    actor: str
    reason: str
