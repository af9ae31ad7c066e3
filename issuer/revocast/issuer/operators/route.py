"""How every operator route takes a request: first who calls, then in what form, and only then what it says."""

from typing import Any

from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from revocast.issuer.operators.guard import OperatorGuard
from revocast.issuer.operators.problem import Problem

__all__ = ["operator_route"]


def operator_route(guard: OperatorGuard) -> type[APIRoute]:
    """The route class of the operator API: `guard` admits, and bodies are JSON."""

    class OperatorRoute(APIRoute):
        def get_route_handler(self) -> Any:
            handle = super().get_route_handler()

            async def checked(request: Request) -> Response:
                # FastAPI would read and parse the body of anybody before it asks a dependency.
                await run_in_threadpool(guard.admit, request)
                media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
                # Declared as JSON, so that no HTML form of another site can make one.
                if request.method in ("POST", "PUT", "PATCH") and media_type != "application/json":
                    raise Problem(415, "unsupported_media_type", "Content-Type must be application/json.")
                return await handle(request)

            return checked

    return OperatorRoute
