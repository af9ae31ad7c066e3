"""The log as the issuer wrote it."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from revocast.issuer.authority.answers import LogEntry
from revocast.issuer.operators.context import Context
from revocast.issuer.operators.guard import Operator
from revocast.issuer.operators.row_model import RowModel
from revocast.issuer.operators.scopes import Scope
from revocast.schemas.events import Envelope
from revocast.schemas.keyset import KeySet
from revocast.schemas.selector import kind_name

__all__ = ["log_routes"]


class LogRow(RowModel):
    """A row as every reader sees it: without the clear selector."""

    kind: str = Field(examples=["subject"])


class PartModel(BaseModel):
    """The next rows of a record: who asked for them, and why."""

    rows: int
    actor: str
    reason: str


class LogEntryModel(BaseModel):
    """One record. Requests that come at the same time share one: then it is the issuer's own, and has `parts` of theirs."""

    epoch: int
    n: int
    t: int = Field(description="seconds")
    hash: str = Field(description="hex SHA-256 of the signing input; the `prev` of the next record")
    prev: str
    rows: list[LogRow]
    actor: str
    reason: str
    parts: list[PartModel] = Field(description="who asked for which rows, in their order")
    published: bool = Field(description="whether Kafka has acknowledged it")
    signed: str | None = Field(
        description="the record as it is on the topic (compact JWS); null until it is signed"
    )


class LogPage(BaseModel):
    """`next` is the `after` of the next page; null when there is none yet."""

    items: list[LogEntryModel]
    next: int | None


def log_routes(context: Context) -> APIRouter:
    """`/v1/log`."""
    router = context.router("log")
    service = context.service

    @router.get("/log", summary="Records of the current epoch, in order")
    def log(
        operator: Annotated[Operator, context.needs(Scope.READ)],
        after: Annotated[int, Query(ge=0, lt=2**63, description="records after this number")] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> LogPage:
        entries = service.log(after, limit)
        claims = KeySet.from_event(Envelope.parse(service.key_set()).event()).claims
        items = [_model(entry, claims) for entry in entries]
        return LogPage(items=items, next=entries[-1].n if len(entries) == limit else None)

    return router


def _model(entry: LogEntry, claims: tuple[str, ...]) -> LogEntryModel:
    rows = [LogRow(**RowModel.of(row).model_dump(), kind=kind_name(row.kind, claims)) for row in entry.rows]
    return LogEntryModel(
        epoch=entry.epoch,
        n=entry.n,
        t=entry.t,
        hash=entry.hash.hex(),
        prev=entry.prev.hex(),
        rows=rows,
        actor=entry.actor,
        reason=entry.reason,
        parts=[PartModel(rows=part.rows, actor=part.actor, reason=part.reason) for part in entry.parts],
        published=entry.published,
        signed=entry.compact.decode() if entry.compact is not None else None,
    )
