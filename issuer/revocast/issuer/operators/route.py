"""How every operator route takes a request: first who calls, then in what form, and only then what it says."""

from collections.abc import Sequence
from typing import Any

from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from revocast.issuer.operators.guard import OperatorGuard
from revocast.issuer.operators.problem import Problem

__all__ = ["operator_route"]


def operator_route(guard: OperatorGuard, media_types: Sequence[str]) -> type[APIRoute]:
    """The route class of the operator API: `guard` admits, and bodies are of these types."""

    class OperatorRoute(APIRoute):
        def get_route_handler(self) -> Any:
            handle = super().get_route_handler()

            async def checked(request: Request) -> Response:
                # FastAPI would read and parse the body of anybody before it asks a dependency.
                await run_in_threadpool(guard.admit, request)
                media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
                # Declared, so that no HTML form of another site can make one that is taken for JSON.
                if request.method in ("POST", "PUT", "PATCH") and media_type not in media_types:
                    raise Problem(
                        415, "unsupported_media_type", f"Content-Type must be {' or '.join(media_types)}."
                    )
                return await handle(request)

            return checked

    return OperatorRoute
