"""Who may call the operator API: bearers of our own live access tokens with the scope that the call needs (RFC 6750).

* The token is verified under our own keys and our own deny state, so a revoked operator is out at once.
* There is no cookie and no CORS header, so a page of another site can act only with a token that it has. What a browser
  says comes from another site is refused all the same.
* The caller is judged before a byte of the body is read: `admit` by the route, then the scope by the endpoint's dependency.
* Every refusal is audited.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fastapi.openapi.models import OAuth2 as OAuth2Model
from fastapi.openapi.models import OAuthFlowClientCredentials, OAuthFlows
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.requests import Request

from revocast.issuer.denials import Denials
from revocast.issuer.errors import TokenRejected
from revocast.issuer.operators.budget import Budgets
from revocast.issuer.operators.problem import Problem
from revocast.issuer.operators.scopes import Scope
from revocast.issuer.service import Service

__all__ = ["Operator", "OperatorGuard"]

_BUDGETED: Final = frozenset({Scope.REVOKE, Scope.LIFT})
_CHALLENGE: Final = 'Bearer realm="revocast"'
_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.ASCII | re.IGNORECASE)  # RFC 6750 §2.1


@dataclass(frozen=True, slots=True)
class Operator:
    """A caller that may do what it asked for."""

    client_id: str
    scopes: frozenset[str]

    @property
    def actor(self) -> str:
        """How records and audit events name the caller."""
        return f"client:{self.client_id}"


class OperatorGuard(SecurityBase):
    """FastAPI security dependency: `Security(guard, scopes=[…])`. Synchronous, so it runs in the thread pool."""

    def __init__(self, service: Service, denials: Denials, budgets: Budgets) -> None:
        self._service = service
        self._denials = denials
        self.budgets = budgets
        self.scheme_name = "operator"
        flow = OAuthFlowClientCredentials(
            tokenUrl="/oauth/token", scopes={scope.value: scope.description for scope in Scope}
        )
        self.model = OAuth2Model(flows=OAuthFlows(clientCredentials=flow))

    def admit(self, request: Request) -> Operator:
        """The caller, whatever it wants. Raises `Problem`: 401 without a good token, 403 across sites."""
        operation = _operation(request)
        if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            self._denials.operator("cross_site", operation, None)
            raise Problem(403, "cross_site", "Calls from pages of other sites are refused.")
        claims = self._claims(request, operation)
        operator = Operator(claims["client_id"], frozenset(str(claims.get("scope", "")).split()))
        request.state.operator = operator
        return operator

    def __call__(self, request: Request, required: SecurityScopes) -> Operator:
        """The caller that may do this. Raises `Problem`: 403 with too little scope, 429 over its budget, else as `admit`."""
        operator: Operator = getattr(request.state, "operator", None) or self.admit(request)
        if not operator.scopes.issuperset(required.scopes):
            self._denials.operator("insufficient_scope", _operation(request), operator.client_id)
            raise Problem(
                403,
                "insufficient_scope",
                f"The token needs the scope {required.scope_str}.",
                headers=_challenge("insufficient_scope", scope=required.scope_str),
            )
        if not _BUDGETED.isdisjoint(required.scopes):
            try:
                self.budgets.writes.spend(operator.client_id)
            except Problem as refused:
                self.note_refusal(request, refused)
                raise
        return operator

    def note_refusal(self, request: Request, refused: Problem) -> None:
        """Audit that an admitted caller was refused. It is a write: not to be called in a transaction."""
        self._denials.operator(refused.code, _operation(request), request.state.operator.client_id)

    def _claims(self, request: Request, operation: str) -> Mapping[str, Any]:
        given = request.headers.getlist("authorization")
        bearer = _BEARER.fullmatch(given[0]) if len(given) == 1 else None
        if bearer is None:
            self._denials.operator("token_missing", operation, None)
            # RFC 6750 §3.1: no error code for a request that carries no credentials.
            raise Problem(
                401, "token_missing", "Send an access token: Authorization: Bearer …", headers=_challenge()
            )
        try:
            return self._service.verify(bearer[1], self._service.operator_audience)
        except TokenRejected as rejected:
            self._denials.operator(rejected.code, operation, None)
            # One text for every reason: the reason is for who owns the token, and in the audit.
            raise Problem(
                401,
                "invalid_token",
                "The access token is not valid here.",
                headers=_challenge("invalid_token"),
            ) from None


def _operation(request: Request) -> str:
    return f"{request.method} {request.scope['route'].path}"


def _challenge(error: str | None = None, **parameters: str) -> dict[str, str]:
    shown = {**({"error": error} if error else {}), **parameters}
    return {
        "WWW-Authenticate": ", ".join([_CHALLENGE, *(f'{name}="{value}"' for name, value in shown.items())])
    }
