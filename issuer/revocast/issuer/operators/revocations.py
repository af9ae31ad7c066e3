"""Revoke, lift and look up."""

from collections.abc import Callable
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, model_validator
from starlette.concurrency import run_in_threadpool

from revocast.issuer.authority.expiry import ONE_TOKEN
from revocast.issuer.authority.revocations import Lift, Receipt, Revocation, Revoked
from revocast.issuer.operators.body import Body, Name, Text
from revocast.issuer.operators.context import Context, ReceiptModel
from revocast.issuer.operators.guard import Operator
from revocast.issuer.operators.row_model import SelectedRow
from revocast.issuer.operators.scopes import Scope
from revocast.issuer.operators.selector_model import SelectorModel
from revocast.issuer.service import Service
from revocast.schemas.row import NEVER, Slot

__all__ = ["SlotName", "Target", "revocation_routes"]

SlotName = Literal["cutoff", "block"]


class Target(Body):
    """What is to be refused: what a selector matches, or exactly one token."""

    selector: SelectorModel | None = None
    token: str | None = Field(None, max_length=16_384, description="instead of `selector`: the token to end")
    slot: SlotName | None = Field(
        None,
        description="`cutoff`: what was issued at or before `cutoff`. `block`: everything, until lifted. "
        "Required with `selector`; a token is always blocked.",
    )
    cutoff: int | None = Field(
        None, ge=0, lt=NEVER, description="seconds; now if left out", examples=[1767225600]
    )
    expires_at: Annotated[int, Field(ge=0, lt=NEVER)] | Literal["never"] | None = Field(
        None,
        description="seconds. If left out: when no token that it could match is alive; a block never, but a token's own.",
    )

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.selector is None) == (self.token is None):
            raise ValueError("give either selector or token")
        if self.selector is not None and self.slot is None:
            raise ValueError("slot is required with selector")
        if self.token is not None and (
            self.slot == "cutoff" or self.cutoff is not None or self.expires_at is not None
        ):
            raise ValueError("a token is blocked until it expires: leave slot, cutoff and expires_at out")
        if self.selector is not None and self.selector.kind in ONE_TOKEN and isinstance(self.expires_at, int):
            # An end before the token's would let it in again, and nothing would say so.
            raise ValueError("one token is refused until it expires: leave expires_at out")
        return self

    def revocation(self, issuer: str, revocation_of: Callable[[str], Revocation]) -> Revocation:
        """What to write; `revocation_of` reads a token. Raises `TokenRejected` for one that is not ours."""
        if self.token is not None:
            return revocation_of(self.token)
        assert self.selector is not None
        assert self.slot is not None
        expires_at = NEVER if self.expires_at == "never" else self.expires_at
        return Revocation(self.selector.selector(issuer), _slot(self.slot), self.cutoff, expires_at)


class RevocationRequest(Target):
    """Refuse what a selector matches, or exactly one token."""

    reason: Text = Field(
        "", description="for people: kept by the issuer and in the audit", examples=["laptop lost"]
    )
    dry_run: bool = Field(False, description="answer what would be written, and write nothing")


class LiftRequest(Body):
    """Empty one slot of a selector."""

    selector: SelectorModel | None = None
    fingerprint: str | None = Field(
        None,
        pattern="^[0-9a-f]{22}$",
        description="instead of `selector`: as a row's, whose name need not be known",
    )
    slot: SlotName = Field(description="the one to empty; the other one stays")
    reason: Text = Field("", examples=["investigation closed"])
    dry_run: bool = Field(False, description="answer what would be written, and write nothing")

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.selector is None) == (self.fingerprint is None):
            raise ValueError("give either selector or fingerprint")
        return self

    def lift(self, service: Service) -> Lift:
        """What to write. Raises `NotFound` for a fingerprint that stands in no such row."""
        slot = _slot(self.slot)
        if self.fingerprint is not None:
            return Lift(service.named(bytes.fromhex(self.fingerprint), slot), slot)
        assert self.selector is not None
        return Lift(self.selector.selector(service.issuer), slot)


class RevokedModel(SelectedRow):
    """A live row and the record that wrote it."""

    epoch: int
    n: int
    t: int = Field(description="seconds")
    actor: str
    reason: str


class RevocationPage(BaseModel):
    """`next` is the `after` of the next page; null on the last one."""

    items: list[RevokedModel]
    next: str | None


def revocation_routes(context: Context) -> APIRouter:
    """`/v1/revocations` and `/v1/lifts`."""
    router = context.router("revocations")
    service = context.service

    @router.post(
        "/revocations",
        summary="Revoke",
        description="One record on the log. Adding one never revives anything.",
    )
    async def revoke(
        body: RevocationRequest, operator: Annotated[Operator, context.needs(Scope.REVOKE)]
    ) -> ReceiptModel:
        def write() -> Receipt:
            revocations = [body.revocation(service.issuer, service.revocation_of)]
            return service.revoke(
                revocations, [], actor=operator.actor, reason=body.reason, dry_run=body.dry_run
            )

        return await context.receipt(await run_in_threadpool(write))

    @router.post("/lifts", summary="Lift", description="The other slot of the selector stays as it is.")
    async def lift(
        body: LiftRequest, operator: Annotated[Operator, context.needs(Scope.LIFT)]
    ) -> ReceiptModel:
        def write() -> Receipt:
            return service.revoke(
                [], [body.lift(service)], actor=operator.actor, reason=body.reason, dry_run=body.dry_run
            )

        return await context.receipt(await run_in_threadpool(write))

    @router.get("/revocations", summary="List what is revoked, newest first")
    def revocations(
        operator: Annotated[Operator, context.needs(Scope.READ)],
        kind: Annotated[Name | None, Query(description="one kind only", examples=["subject"])] = None,
        value: Annotated[Name | None, Query(description="exactly this value of the selector")] = None,
        all: Annotated[bool, Query(description="also rows whose time is over")] = False,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        after: Annotated[Name | None, Query(description="`next` of the page before")] = None,
    ) -> RevocationPage:
        rows, cursor = service.list_revocations(
            kind=kind, value=value, live_only=not all, limit=limit, after=after
        )
        return RevocationPage(items=[_revoked(row) for row in rows], next=cursor)

    return router


def _slot(name: SlotName) -> Slot:
    return Slot[name.upper()]


def _revoked(row: Revoked) -> RevokedModel:
    named = SelectedRow.named(row.selector, row.row)
    return RevokedModel(
        **named.model_dump(), epoch=row.epoch, n=row.n, t=row.t, actor=row.actor, reason=row.reason
    )
