"""Snapshots: which cuts were taken, what became of them, and one now."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from revocast.issuer.authority.snapshots import Snapshot
from revocast.issuer.operators.context import Context
from revocast.issuer.operators.guard import Operator
from revocast.issuer.operators.scopes import Scope

__all__ = ["snapshot_routes"]


class SnapshotModel(BaseModel):
    """One cut."""

    epoch: int
    n: int
    t: int = Field(description="the record's time, seconds")
    state: Literal["cut", "countersigned", "differs"] = Field(
        description="`cut`: not compared. `countersigned`: services start from it. `differs`: streams hold another table"
    )
    rows: int | None
    decided_at: int | None = Field(description="seconds")
    problem: str | None = Field(description="what differs; the first row that does")


class SnapshotsModel(BaseModel):
    """The newest comes last."""

    items: list[SnapshotModel]
    oldest_epoch: int = Field(description="the log begins with this record; 0 and 1: it was never truncated")
    oldest_n: int
    asked: bool = Field(description="whether a cut was asked for and is about to be taken")


class AskedModel(BaseModel):
    """The relay cuts within a second or two, once it publishes."""

    asked: bool


def snapshot_routes(context: Context) -> APIRouter:
    """`/v1/snapshots`."""
    router = context.router("snapshots")
    service = context.service

    @router.get("/snapshots", summary="The cuts, and what became of them")
    def snapshots(operator: Annotated[Operator, context.needs(Scope.READ)]) -> SnapshotsModel:
        report = service.snapshots()
        return SnapshotsModel(
            items=[_model(each) for each in report.snapshots],
            oldest_epoch=report.oldest[0],
            oldest_n=report.oldest[1],
            asked=report.asked,
        )

    @router.post(
        "/snapshots",
        summary="Cut a snapshot now",
        description="The process that publishes takes it, whichever answers this.",
        status_code=202,
    )
    def cut(operator: Annotated[Operator, context.needs(Scope.REVOKE)]) -> AskedModel:
        service.ask_for_snapshot()
        return AskedModel(asked=True)

    return router


def _model(snapshot: Snapshot) -> SnapshotModel:
    return SnapshotModel(
        epoch=snapshot.epoch,
        n=snapshot.n,
        t=snapshot.t,
        state=snapshot.state.value,
        rows=snapshot.rows,
        decided_at=snapshot.decided_at,
        problem=snapshot.problem,
    )
