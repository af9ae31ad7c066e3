"""Token-signing keys: list, rotate, revoke."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from revocast.issuer.authority.lifecycle import TokenKey
from revocast.issuer.authority.revocations import Receipt
from revocast.issuer.operators.body import Body, Name, Text
from revocast.issuer.operators.context import Context, ReceiptModel
from revocast.issuer.operators.guard import Operator
from revocast.issuer.operators.scopes import Scope

__all__ = ["key_routes"]


class KeyModel(BaseModel):
    """A token-signing key's public side. Times are seconds; null: not reached."""

    kid: str
    alg: str = Field(examples=["EdDSA"])
    state: Literal["announced", "active", "retiring", "retired", "revoked"]
    jwk: dict[str, str]
    created_at: int
    announced_at: int | None = Field(description="when Kafka had the key set that first listed it")
    activated_at: int | None
    retiring_at: int | None
    retired_at: int | None
    revoked_at: int | None


class KeyList(BaseModel):
    """All keys, newest first."""

    items: list[KeyModel]


class RotateRequest(Body):
    """What the next key should be."""

    alg: Literal["RS256", "ES256", "EdDSA"] | None = Field(None, description="the newest key's if left out")


class KeyRevocationRequest(Body):
    """Why a key is revoked."""

    reason: Text = Field(examples=["private key leaked"])


def key_routes(context: Context) -> APIRouter:
    """`/v1/keys`."""
    router = context.router("keys")
    service = context.service

    @router.get("/keys", summary="List token-signing keys")
    def keys(operator: Annotated[Operator, context.needs(Scope.READ)]) -> KeyList:
        return KeyList(items=list(map(_model, service.keys())))

    @router.post(
        "/keys/rotate",
        summary="Rotate",
        description="Announces a new key. It signs once the fleet may know it; the old one then verifies until its last "
        "token has expired. No good token is refused.",
        status_code=201,
    )
    def rotate(operator: Annotated[Operator, context.needs(Scope.KEYS)], body: RotateRequest) -> KeyModel:
        return _model(service.rotate_key(body.alg, actor=operator.actor))

    @router.post(
        "/keys/{kid}/revoke",
        summary="Revoke a compromised key",
        description="Everything that it signed is refused at once, everywhere.",
    )
    async def revoke(
        kid: Name,
        body: KeyRevocationRequest,
        operator: Annotated[Operator, context.needs(Scope.KEYS)],
    ) -> ReceiptModel:
        def write() -> Receipt:
            return service.revoke_key(kid, actor=operator.actor, reason=body.reason)

        return await context.receipt(await run_in_threadpool(write))

    return router


def _model(key: TokenKey) -> KeyModel:
    return KeyModel(
        kid=key.kid,
        alg=key.alg,
        state=key.state.value,
        jwk=dict(key.jwk),
        created_at=key.created_at,
        announced_at=key.announced_at,
        activated_at=key.activated_at,
        retiring_at=key.retiring_at,
        retired_at=key.retired_at,
        revoked_at=key.revoked_at,
    )
