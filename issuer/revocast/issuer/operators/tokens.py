"""Tokens: explain one, mint one for a user."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from revocast.issuer.authority.answers import Explanation
from revocast.issuer.errors import AccessDenied
from revocast.issuer.operators.body import Body, Name
from revocast.issuer.operators.context import Context
from revocast.issuer.operators.guard import Operator
from revocast.issuer.operators.row_model import RowModel
from revocast.issuer.operators.scopes import Scope
from revocast.issuer.operators.selector_model import SelectorModel

__all__ = ["token_routes"]


class ExplainRequest(Body):
    """The token to look at. It is not stored."""

    token: str = Field(min_length=1, max_length=16_384, description="a compact JWS")


class FindingModel(BaseModel):
    """One selector that the token has; `refused_by` are those of its rows that refuse this token."""

    selector: SelectorModel
    fingerprint: str
    rows: list[RowModel]
    refused_by: list[RowModel]


class ExplanationModel(BaseModel):
    """What every service that is current answers for the token, and why."""

    answer: Literal["accepted", "refused"]
    reason: str = Field(examples=["ok", "token_revoked", "token_expired"], description="a stable code")
    claims: dict[str, Any] | None = Field(description="null unless the signature is ours")
    selectors: list[FindingModel]


class MintRequest(Body):
    """A user's token, on behalf of a first-party client that has authenticated the user itself."""

    client_id: Name = Field(description="the client that the token is issued to")
    sub: Name = Field(examples=["alice"])
    audience: Name = Field(examples=["orders"])
    scope: str | None = Field(
        None, max_length=2048, description="space-separated; all that the client may have if left out"
    )
    sid: Name | None = Field(None, description="the user's session")
    grant_id: Name | None = Field(None, description="the authorization that the token belongs to")
    claims: dict[str, Name] = Field(
        default_factory=dict, description="claims that the key set declares", examples=[{"tenant": "acme"}]
    )


class TokenModel(BaseModel):
    """RFC 6749 §5.1."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int = Field(description="seconds")
    scope: str


def token_routes(context: Context) -> APIRouter:
    """`/v1/explain` and `/v1/tokens`."""
    router = context.router("tokens")
    service = context.service

    @router.post("/explain", summary="Why a token is accepted or refused")
    def explain(
        body: ExplainRequest, operator: Annotated[Operator, context.needs(Scope.READ)]
    ) -> ExplanationModel:
        return _explained(service.explain(body.token))

    @router.post("/tokens", summary="Mint a user's token", status_code=201)
    def mint(body: MintRequest, operator: Annotated[Operator, context.needs(Scope.MINT)]) -> TokenModel:
        if body.audience == service.operator_audience:
            # Else the right to mint would be the right to be any operator.
            raise AccessDenied("audience: operator tokens are not minted for others")
        named = {"sid": body.sid, "grant_id": body.grant_id}
        minted = service.mint(
            body.client_id,
            body.audience,
            body.scope.split() if body.scope is not None else None,
            subject=body.sub,
            extra={**body.claims, **{name: value for name, value in named.items() if value is not None}},
            actor=operator.actor,
        )
        return TokenModel(access_token=minted.token, expires_in=minted.expires_in, scope=minted.scope)

    return router


def _explained(explanation: Explanation) -> ExplanationModel:
    findings = [
        FindingModel(
            selector=SelectorModel.of(finding.selector),
            fingerprint=finding.fingerprint.hex(),
            rows=[RowModel.of(row) for row in finding.rows],
            refused_by=[RowModel.of(row) for row in finding.refused_by],
        )
        for finding in explanation.findings
    ]
    claims = None if explanation.claims is None else dict(explanation.claims)
    return ExplanationModel(
        answer=explanation.answer, reason=explanation.reason, claims=claims, selectors=findings
    )
