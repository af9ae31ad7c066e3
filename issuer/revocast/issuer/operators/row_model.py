"""A row as JSON: in answers, in the clear or as the log has it."""

from typing import Any, Self

from pydantic import BaseModel, Field

from revocast.issuer.authority.revocations import Named
from revocast.issuer.operators.selector_model import SelectorModel
from revocast.schemas.row import NEVER, Row, Slot
from revocast.schemas.selector import Selector

__all__ = ["RowModel", "SelectedRow"]


class RowModel(BaseModel):
    """One row. Times are seconds since 1970."""

    slot: str = Field(examples=["cutoff"], description="`cutoff` or `block`")
    lift: bool = Field(description="whether it empties the slot")
    cutoff: int | None = Field(description="tokens issued at or before it are refused; null but in a cutoff")
    expires_at: int | None = Field(
        description="when no token that it matches can be alive; null: never, or a lift"
    )
    fingerprint: str = Field(
        examples=["9f86d081884c7d659a2fea"], description="hex; what the log shows of the selector"
    )

    @classmethod
    def of(cls, row: Row) -> Self:
        """The row as it is answered."""
        return cls(**_members(row))


class SelectedRow(RowModel):
    """A row beside the selector that only the issuer knows in the clear."""

    kind: str = Field(examples=["subject"])
    selector: SelectorModel | None = Field(
        description="null: only the fingerprint is known, because the row was taken back from the log after a restore"
    )

    @classmethod
    def named(cls, selector: Named, row: Row) -> Self:
        """The row and what it names."""
        known = SelectorModel.of(selector) if isinstance(selector, Selector) else None
        return cls(kind=selector.kind, selector=known, **_members(row))


def _members(row: Row) -> dict[str, Any]:
    is_cutoff = row.slot is Slot.CUTOFF and not row.lift
    return {
        "slot": row.slot.name.lower(),
        "lift": row.lift,
        "cutoff": row.cutoff if is_cutoff else None,
        "expires_at": None if row.lift or row.expires_at == NEVER else row.expires_at,
        "fingerprint": row.fingerprint.hex(),
    }
