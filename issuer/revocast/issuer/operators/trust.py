"""What the offline root decides: the state that its holder needs, new event keys, signed delegation lists."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints
from starlette.concurrency import run_in_threadpool

from revocast.issuer.operators.body import Body
from revocast.issuer.operators.context import Context
from revocast.issuer.operators.guard import Operator
from revocast.issuer.operators.scopes import Scope
from revocast.issuer.trust_desk import Adopted

__all__ = ["trust_routes"]

Compact = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$")]


class PlaceModel(BaseModel):
    """A record of the log."""

    epoch: int
    n: int


class ListedKeyModel(BaseModel):
    """A key of this issuer's, or one that the list delegates."""

    kid: str = Field(description="RFC 7638 thumbprint")
    role: Literal["event", "snapshot"]
    state: Literal["pending", "active", "retired", "compromised", "delegated"] = Field(
        description="`pending`: made here, on no list yet. `active`: signs. `retired`: good up to its bound, or another one "
        "signs. `compromised`: on the list no more. `delegated`: a snapshot key, or not held here."
    )
    bound: PlaceModel | None = Field(description="the last record that it is good for")
    last: PlaceModel | None = Field(description="the last record that it signed")
    jwk: dict[str, str]


class TrustModel(BaseModel):
    """The delegation list in force and what the next one can be made of."""

    issuer: str
    list: str | None = Field(description="compact JWS; null before the first list")
    version: int
    epoch: int
    n: int = Field(description="newest record in the database")
    expires_at: int | None = Field(description="seconds")
    root: str = Field(description="RFC 7638 thumbprint of the root that signs the next list")
    keys: tuple[ListedKeyModel, ...]
    reissuing: bool = Field(description="whether the live set of a new epoch is not complete yet")


class EventKeyRequest(Body):
    """What the key should be."""

    alg: Literal["RS256", "ES256", "EdDSA"] | None = Field(None, description="EdDSA if left out")


class EventKeyModel(BaseModel):
    """A new event key's public side. It signs once a delegation list names it."""

    kid: str
    jwk: dict[str, str]
    alg: str


class DelegationsRequest(Body):
    """A delegation list that the root signed."""

    list: Compact = Field(description="compact JWS")


class AdoptedModel(BaseModel):
    """The list that is in force now."""

    version: int
    epoch: int
    active: str = Field(description="kid of the event key that signs")
    status: Literal["published", "pending"] = Field(
        description="`published`: Kafka has it and, if it opened an epoch, the whole live set. `pending`: it will."
    )


def trust_routes(context: Context) -> APIRouter:
    """`/v1/trust`, `/v1/event-keys` and `/v1/delegations`."""
    router = context.router("trust")
    service = context.service

    @router.get("/trust", summary="The delegation list in force and the event keys")
    def trust(operator: Annotated[Operator, context.needs(Scope.TRUST)]) -> TrustModel:
        return TrustModel.model_validate(service.trust().members())

    @router.post(
        "/event-keys",
        summary="Make an event key",
        description="The private half stays in the database. The key signs nothing until the root delegates to it.",
        status_code=201,
    )
    def make_event_key(
        body: EventKeyRequest, operator: Annotated[Operator, context.needs(Scope.TRUST)]
    ) -> EventKeyModel:
        key = service.make_event_key(body.alg, actor=operator.actor)
        return EventKeyModel(kid=key.kid, jwk=dict(key.jwk), alg=key.alg)

    @router.post(
        "/delegations",
        summary="Adopt a delegation list",
        description="One transaction: from the next record on, the newest event key of this issuer that the list delegates "
        "signs. A list that opens an epoch begins the re-issue of everything that is revoked.",
    )
    async def adopt(
        body: DelegationsRequest, operator: Annotated[Operator, context.needs(Scope.TRUST)]
    ) -> AdoptedModel:
        def write() -> Adopted:
            return service.adopt(body.list.encode(), actor=operator.actor)

        adopted = await run_in_threadpool(write)
        status = await service.published(adopted.receipt, context.publish_timeout_s)
        return AdoptedModel(
            version=adopted.version, epoch=adopted.epoch, active=adopted.active, status=status
        )

    return router
