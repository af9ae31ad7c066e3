"""Errors as RFC 9457 problem details. The type ends with the error's stable code."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from revocast.streams.errors import Behind, NotHere, StreamsError

__all__ = ["add_problems", "problem"]

_STATUS: dict[type[Exception], HTTPStatus] = {
    NotHere: HTTPStatus.MISDIRECTED_REQUEST,
    Behind: HTTPStatus.SERVICE_UNAVAILABLE,
}


def problem(status: HTTPStatus, code: str, detail: str) -> JSONResponse:
    """One answer of type application/problem+json."""
    return JSONResponse(
        {
            "type": f"urn:revocast:error:{code}",
            "title": status.phrase,
            "status": status.value,
            "detail": detail,
        },
        status.value,
        headers={"Retry-After": "1"} if status is HTTPStatus.SERVICE_UNAVAILABLE else None,
        media_type="application/problem+json",
    )


def add_problems(api: FastAPI) -> None:
    """Answer every `StreamsError` with its problem."""

    @api.exception_handler(StreamsError)
    async def _(request: Request, error: Exception) -> JSONResponse:
        status = _STATUS.get(type(error), HTTPStatus.INTERNAL_SERVER_ERROR)
        return problem(status, getattr(error, "code", "streams"), str(error))
