"""What every group of operator routes is built with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import APIRouter, Security
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from revocast.issuer.authority.answers import PublicationState
from revocast.issuer.authority.revocations import Receipt
from revocast.issuer.operators.guard import OperatorGuard
from revocast.issuer.operators.problem import ProblemDetails
from revocast.issuer.operators.route import operator_route
from revocast.issuer.operators.row_model import SelectedRow
from revocast.issuer.operators.scopes import Scope
from revocast.issuer.service import Service

__all__ = ["Context", "ReceiptModel"]


class ReceiptModel(BaseModel):
    """Where a request stands: every service that has applied record `n` of `epoch` enforces it."""

    status: Literal["published", "pending", "dry_run"] = Field(
        description="`published`: Kafka has it. `pending`: it is durable and will be published. `dry_run`: nothing was written."
    )
    epoch: int = Field(examples=[1])
    n: int = Field(examples=[42], description="the record's number; for a dry run what it would have been")
    t: int = Field(examples=[1767225600], description="the record's time, seconds")
    changed: bool = Field(description="false: the table said so already, `n` is the newest record")
    revocations: list[SelectedRow] = Field(description="the rows of the record, in their order")


@dataclass(frozen=True, slots=True)
class Context:
    """`publish_timeout_s`: how long an answer waits for Kafka, seconds."""

    service: Service
    guard: OperatorGuard
    publish_timeout_s: float

    def router(self, tag: str, media_types: Sequence[str] = ("application/json",)) -> APIRouter:
        """A group of routes under `/v1`, with the errors that all of them may answer; their bodies are of these types."""
        route = operator_route(self.guard, media_types)
        return APIRouter(prefix="/v1", tags=[tag], route_class=route, responses=_PROBLEMS)

    def needs(self, scope: Scope) -> Any:
        """The caller as an endpoint's parameter default: `operator: Annotated[Operator, context.needs(…)]`."""
        return Security(self.guard, scopes=[scope.value])

    async def receipt(self, receipt: Receipt) -> ReceiptModel:
        """The answer to a write: waits for Kafka, but not longer than the timeout."""
        published = None if receipt.dry_run else await self.service.published(receipt, self.publish_timeout_s)
        return ReceiptModel(
            status=published or "dry_run",
            epoch=receipt.epoch,
            n=receipt.n,
            t=receipt.t,
            changed=receipt.changed,
            revocations=[SelectedRow.named(written.selector, written.row) for written in receipt.rows],
        )

    async def published_in_the_end(self, receipt: Receipt, *, wait: bool) -> PublicationState:
        """Whether Kafka has the record. With `wait`: as long as it gets one record after the other, for that one, too."""
        place, before = (0, 0), None
        while await self.service.published(receipt, self.publish_timeout_s if wait else 0) == "pending":
            before, place = place, await run_in_threadpool(self.service.published_place)
            if not wait or place == before:
                return "pending"
        return "published"


_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemDetails, "description": description}
    for status, description in (
        (401, "No live access token"),
        (403, "The token lacks the scope"),
        (429, "The operator's budget of revocations and lifts is used up; `Retry-After` says for how long"),
        (422, "Something in the request is wrong; `errors` names the fields"),
        (503, "The database is away; nothing was done"),
    )
}
