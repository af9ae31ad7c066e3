"""FastAPI: a route says which scopes it needs, and gets the claims; OpenAPI shows both.

@app.get("/orders")
async def orders(claims: Annotated[Claims, Security(guard.required(), scopes=["orders:read"])]): ...
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import HTTPException, Request, Security
from fastapi.security import HTTPBearer, SecurityScopes

from revocast.sdk.claims import Claims
from revocast.sdk.errors import RevocastError

if TYPE_CHECKING:
    from revocast.sdk.guard import Guard
    from revocast.sdk.policy import Policy

__all__ = ["Required"]


class _AuthorizationHeaders(HTTPBearer):
    """The scheme as OpenAPI shows it; what the headers mean is the guard's to say."""

    async def __call__(self, request: Request) -> list[str]:  # type: ignore[override]
        return request.headers.getlist("authorization")


_SCHEME = _AuthorizationHeaders(
    bearerFormat="at+jwt", scheme_name="Revocast", description="RFC 9068 access token"
)


@dataclass(frozen=True, slots=True)
class Required:
    """A dependency that yields the token's claims, or answers 401, 403 or 503.

    Equal ones are one dependency to FastAPI: it asks once a request.
    """

    guard: "Guard"
    freshness: "Policy | None" = None

    async def __call__(
        self, scopes: SecurityScopes, authorization: Annotated[list[str], Security(_SCHEME)]
    ) -> Claims:
        """The claims. Raises an `HTTPException`."""
        try:
            return await self.guard.averify_request(
                authorization, scopes=scopes.scopes, freshness=self.freshness
            )
        except RevocastError as error:
            detail = {"code": error.code, "description": error.description}
            raise HTTPException(error.status, detail, error.headers()) from error
