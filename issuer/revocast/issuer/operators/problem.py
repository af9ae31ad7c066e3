"""Errors as RFC 9457 problem details: a stable `code`, a text that says what to do, and the fields that are wrong.

What was sent is never repeated: it may hold a token.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from revocast.issuer.errors import (
    AccessDenied,
    Conflict,
    InvalidRequest,
    IssuerError,
    NoSigningKey,
    NotFound,
    StorageUnavailable,
    TokenRejected,
)
from revocast.schemas.errors import ClaimUndeclared, SchemaError

__all__ = [
    "MEDIA_TYPE",
    "FieldError",
    "Problem",
    "ProblemDetails",
    "describe_problems",
    "explain_invalid",
    "handle_problems",
    "problem_of",
]

log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
_MAX_PATH: Final = 200

_STATUS: Final[tuple[tuple[type[Exception], int], ...]] = (
    (InvalidRequest, 422),
    (TokenRejected, 422),
    (SchemaError, 422),
    (AccessDenied, 403),
    (NotFound, 404),
    (Conflict, 409),
    (NoSigningKey, 503),
)
_FIELD = re.compile(r"([a-z_.]+): (.+)", re.DOTALL)
"""Errors of the authority and the schemas begin with the field's name where there is one."""


class FieldError(BaseModel):
    """One thing that is wrong."""

    field: str = Field(
        examples=["selector.kind"], description="where: a dotted path in the body, or a parameter"
    )
    detail: str = Field(examples=["must be a built-in kind or claim:<name>"])


class ProblemDetails(BaseModel):
    """RFC 9457, with the extension members `code` and `errors`."""

    type: str = Field(examples=["urn:revocast:problem:invalid_request"])
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["selector.kind: must be a built-in kind or claim:<name>"])
    code: str = Field(examples=["invalid_request"], description="stable; programs decide by it")
    errors: list[FieldError] = Field(default_factory=list)


class Problem(Exception):
    """An answer that is a problem. `headers` are added to it."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """The problem as JSON."""
        details = ProblemDetails(
            type=f"urn:revocast:problem:{self.code}",
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            detail=self.detail,
            code=self.code,
            errors=self.errors,
        )
        return JSONResponse(details.model_dump(mode="json"), self.status, self.headers, media_type=MEDIA_TYPE)


def handle_problems(app: FastAPI) -> None:
    """Answer every error of the application as problem details."""

    def answer(_request: Request, error: Exception) -> Response:
        return problem_of(error).response()

    for kind in (Problem, IssuerError, SchemaError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, answer)


def describe_problems(app: FastAPI) -> None:
    """Give problem details their media type in the OpenAPI document; FastAPI describes every model as what the route answers."""
    describe = app.openapi

    def described() -> dict[str, Any]:
        document = describe()
        operations = (operation for path in document["paths"].values() for operation in path.values())
        for response in (
            response for operation in operations for response in operation["responses"].values()
        ):
            content = response.get("content", {})
            for media_type, shown in list(content.items()):
                if shown.get("schema", {}).get("$ref", "").endswith(f"/{ProblemDetails.__name__}"):
                    content[MEDIA_TYPE] = content.pop(media_type)
        return document

    app.openapi = described  # type: ignore[method-assign]  # as FastAPI's documentation has it


def problem_of(error: Exception) -> Problem:
    """How an error is answered."""
    match error:
        case Problem():
            return error
        case RequestValidationError():
            return _invalid(error.errors())
        case HTTPException():
            code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
            return Problem(error.status_code, code, f"{error.detail}.", headers=error.headers)
        case StorageUnavailable():
            # The driver's words name hosts, files and accounts: they are for whoever runs this, not for whoever calls.
            log.error("%s", error)
            detail = "The database is not available. Nothing was done; try again."
            return Problem(503, error.code, detail, headers={"Retry-After": "1"})
        case IssuerError() | SchemaError():
            status = next((status for kind, status in _STATUS if isinstance(error, kind)), 503)
            errors = [FieldError(field=field, detail=detail) for field, detail in _fields(error, status)]
            headers = {"Retry-After": "1"} if status == 503 else None
            return Problem(status, error.code, str(error), errors, headers)
        case _:
            return Problem(500, "internal_error", "The server failed. Its log says why.")


def _fields(error: IssuerError | SchemaError, status: int) -> list[tuple[str, str]]:
    text = str(error)
    match error:
        case TokenRejected():
            return [("token", text)]
        case ClaimUndeclared():
            return [("selector.kind", text)]
    named = _FIELD.fullmatch(text) if status == 422 else None
    return [(named[1], named[2])] if named else []


def _invalid(found: Sequence[Mapping[str, Any]]) -> Problem:
    if any(item["type"] == "json_invalid" for item in found):
        return Problem(400, "malformed_json", "The body is not JSON.")
    errors = [FieldError(field=_path(item["loc"]), detail=_detail(item)) for item in found]
    return Problem(422, "invalid_request", "; ".join(f"{e.field}: {e.detail}" for e in errors), errors)


def explain_invalid(found: Sequence[Mapping[str, Any]]) -> str:
    """What is wrong with one value of many, in a line. A member's name is the caller's text, and is not in it."""
    return "; ".join(
        "a member of it is not known"
        if item["type"] == "extra_forbidden"
        else f"{_path(('line', *item['loc']))}: {_detail(item)}"
        for item in found
    )


def _path(loc: Sequence[str | int]) -> str:
    # The first part says where it came from; a body that is wrong as a whole has no second one.
    path = ".".join(map(str, loc[1:])) or str(loc[0])
    return path.encode("ascii", "backslashreplace").decode()[
        :_MAX_PATH
    ]  # a member's name is the caller's text


def _detail(item: Mapping[str, Any]) -> str:
    # A validator of ours: its own words, without the field's name that the schemas put before them.
    own = item.get("ctx", {}).get("error") if item["type"] == "value_error" else None
    if own is None:
        return str(item["msg"])
    named = _FIELD.fullmatch(str(own))
    return named[2] if named else str(own)
