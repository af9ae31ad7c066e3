"""The authority at a glance, and the bytes of its table."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from revocast.issuer.authority.answers import Status
from revocast.issuer.operators.context import Context
from revocast.issuer.operators.guard import Operator
from revocast.issuer.operators.scopes import Scope

__all__ = ["RelayModel", "status_routes"]


class RelayModel(BaseModel):
    """What the relay of the answering process does."""

    state: Literal["stopped", "standby", "connecting", "publishing", "refusing"]
    problem: str | None
    checkpoint_at: int | None = Field(description="time of the last acknowledged checkpoint, seconds")


class TableModel(BaseModel):
    """The state at `n`. Equal digests at equal `n`: the same bytes."""

    rows: int
    digest: str = Field(description="hex SHA-256 of the packed table")


class StatusModel(BaseModel):
    """Where the log, the keys and the relay stand."""

    issuer: str
    root: str = Field(description="RFC 7638 thumbprint of the root key; hardened guards configure it")
    epoch: int
    n: int = Field(description="newest record in the database")
    t: int = Field(description="its time, seconds")
    published_n: int = Field(description="newest record that Kafka has acknowledged")
    table: TableModel
    key_set_version: int
    delegations_version: int
    delegations_expire_at: int = Field(description="seconds")
    audit_backlog: int = Field(description="audit events that are not published yet")
    relay: RelayModel
    warnings: list[str]


def status_routes(context: Context) -> APIRouter:
    """`/v1/status` and `/v1/table`."""
    router = context.router("status")
    service = context.service

    @router.get("/status", summary="The authority at a glance")
    def status(operator: Annotated[Operator, context.needs(Scope.READ)]) -> StatusModel:
        return _model(service.status(), context.guard.budgets.warnings())

    @router.get(
        "/table",
        summary="The packed table",
        description="Byte-identical to what every reader holds at the same `n`; the headers `Revocast-Epoch` and "
        "`Revocast-N` say which.",
        response_class=Response,
        responses={200: {"content": {"application/octet-stream": {}}}},
    )
    def table(operator: Annotated[Operator, context.needs(Scope.READ)]) -> Response:
        now = service.status()
        headers = {"Revocast-Epoch": str(now.epoch), "Revocast-N": str(now.n)}
        return Response(now.table, headers=headers, media_type="application/octet-stream")

    return router


def _model(status: Status, warnings: list[str]) -> StatusModel:
    return StatusModel(
        issuer=status.issuer,
        root=status.root,
        epoch=status.epoch,
        n=status.n,
        t=status.t,
        published_n=status.published_n,
        table=TableModel(rows=status.table_rows, digest=status.table_digest.hex()),
        key_set_version=status.key_set_version,
        delegations_version=status.delegations_version,
        delegations_expire_at=status.delegations_expire_at,
        audit_backlog=status.audit_backlog,
        relay=RelayModel.model_validate(status.relay, from_attributes=True),
        warnings=[*status.warnings, *warnings],
    )
