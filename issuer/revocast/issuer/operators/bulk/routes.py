"""`/v1/revocations/bulk`: many revocations in one request, which is answered while it is read."""

import json
import logging
from collections.abc import AsyncIterator
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import uuid4

from fastapi import APIRouter, Query, Request
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from revocast.issuer.authority.bulk import Bulk
from revocast.issuer.errors import IssuerError, StorageUnavailable
from revocast.issuer.operators.body import Text
from revocast.issuer.operators.bulk.answers import Done, Event, Stopped
from revocast.issuer.operators.bulk.job import Job
from revocast.issuer.operators.bulk.reading import COLUMNS, Form, LineReader
from revocast.issuer.operators.context import Context
from revocast.issuer.operators.guard import Operator
from revocast.issuer.operators.problem import Problem, problem_of
from revocast.issuer.operators.revocations import SlotName
from revocast.issuer.operators.scopes import Scope

__all__ = ["bulk_routes"]

log = logging.getLogger(__name__)

_MEDIA_TYPE: Final = "application/jsonl"
_FORMS: Final[dict[str, Form]] = {
    _MEDIA_TYPE: "jsonl",
    "application/x-ndjson": "jsonl",
    "text/csv": "csv",
    "text/plain": "list",
}
_MAX_BODY_BYTES: Final = 2**32
_MOUTHFUL: Final = 1024 * 1024
"""Bytes that are handed to a thread together."""
_DESCRIPTION: Final = f"""
The body is a file of any length, read as it comes: JSON lines (`{_MEDIA_TYPE}`), CSV (`text/csv`, the first row names the
columns: {", ".join(COLUMNS)}), or a list of values (`text/plain`), all UTF-8, `Content-Encoding: gzip` if you like. `kind` and
`slot` are for lines that do not say theirs; else a value is a token's `jti`, and a token is blocked.

The answer is JSON lines: `progress` for what is durable, `bad` for lines that were left out, and at the end `done`, or `stopped`
if it could not go on. Read it while you send. A repetition is harmless and costs no record: after an interruption send what is
behind the last `line` again, with `first_line` and the same `operation`. Records hold up to 1,000 rows; single revocations
take their turn in between.
"""


def bulk_routes(context: Context) -> APIRouter:
    """`/v1/revocations/bulk`."""
    router = context.router("revocations", media_types=tuple(_FORMS))
    service = context.service
    content = {form: {"schema": {"type": "string", "format": "binary"}} for form in _FORMS}

    @router.post(
        "/revocations/bulk",
        summary="Revoke what is in a file",
        description=_DESCRIPTION,
        openapi_extra={"requestBody": {"required": True, "content": content}},
        status_code=200,
        response_class=_Lines,
        responses={200: {"model": Event, "description": "JSON lines, an event each"}},
        max_body_size=_MAX_BODY_BYTES,
    )
    async def revoke_many(
        request: Request,
        operator: Annotated[Operator, context.needs(Scope.REVOKE_MANY)],
        kind: Annotated[
            str | None, Query(description="of lines that do not say theirs", max_length=80)
        ] = None,
        slot: Annotated[SlotName | None, Query(description="of lines that do not say theirs")] = None,
        columns: Annotated[
            str | None,
            Query(description="of CSV without a first row that names them, by commas", max_length=200),
        ] = None,
        first_line: Annotated[
            int,
            Query(ge=1, lt=2**53, description="the number of the body's first line, if it is not the file's"),
        ] = 1,
        operation: Annotated[
            str | None,
            Query(
                pattern="^[A-Za-z0-9_-]{1,64}$",
                description="names the undertaking in audit; made if left out",
            ),
        ] = None,
        file: Annotated[Text, Query(description="what you call the file; for people, in audit")] = "",
        reason: Annotated[Text, Query(description="for people: kept by the issuer and in the audit")] = "",
        wait: Annotated[
            bool, Query(description="whether `done` waits for Kafka, as long as it gets on")
        ] = True,
        dry_run: Annotated[
            bool,
            Query(
                description="count what would be written, and write nothing; what the file names twice may be counted twice"
            ),
        ] = False,
    ) -> Response:
        form = _FORMS[request.headers["content-type"].partition(";")[0].strip().lower()]
        reader = LineReader(
            form,
            await run_in_threadpool(service.terms),
            service.revocation_of,
            service.now,
            kind=kind,
            slot=slot,
            columns=columns.split(",") if columns is not None and form == "csv" else None,
        )
        job = Job(
            service,
            reader,
            Bulk(operation or uuid4().hex, file, operator.actor, reason),
            partial(context.guard.budgets.rows.spend, operator.client_id),
            first_line=first_line,
            packed=_is_packed(request),
            dry_run=dry_run,
        )
        events = _run(request, context, job, wait=wait, dry_run=dry_run)
        first = await anext(events, None)
        if first is None:
            return Response(status_code=400)  # nobody is there any more
        return _Lines(first, events)

    return router


async def _run(
    request: Request, context: Context, job: Job, *, wait: bool, dry_run: bool
) -> AsyncIterator[Event]:
    """Raises only before the first event: from then on, what went wrong is one."""
    begun = False
    try:
        async for mouthful in _mouthfuls(request):
            # A file may take hours, and a stolen account that was ended meanwhile must not go on with it.
            await run_in_threadpool(context.guard.admit, request)
            async for event in iterate_in_threadpool(job.feed(mouthful)):
                yield event
                begun = True
        async for event in iterate_in_threadpool(job.end()):
            yield event
            begun = True
    except ClientDisconnect:
        return
    except Exception as error:
        if isinstance(error, Problem) and error.status == HTTPStatus.TOO_MANY_REQUESTS:
            await run_in_threadpool(context.guard.note_refusal, request, error)
        if not begun and not job.counts()["rows"]:
            raise
        yield _stopped(job, error)
        return
    if dry_run or job.receipt is None:
        yield Done(**job.counts(), status="dry_run" if dry_run else "published")
        return
    yield Done(**job.counts(), status=await context.published_in_the_end(job.receipt, wait=wait))


async def _mouthfuls(request: Request) -> AsyncIterator[bytes]:
    held, size = list[bytes](), 0
    async for piece in request.stream():
        held.append(piece)
        size += len(piece)
        if size >= _MOUTHFUL:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)


def _stopped(job: Job, error: Exception) -> Stopped:
    problem, detail = problem_of(error), None
    match error:
        case Problem(status=HTTPStatus.UNAUTHORIZED):
            detail = "The access token is not valid any more. Send again what is behind the line, with another one."
        case StorageUnavailable():
            detail = "The database is not available. Send again what is behind the line."
        case Problem() | IssuerError():
            pass
        case _:
            log.error("a file of revocations failed", exc_info=error)
    wait = problem.headers.get("Retry-After")
    return Stopped(
        **job.counts(),
        code=problem.code,
        detail=detail or problem.detail,
        retry_after=None if wait is None else int(wait),
    )


def _is_packed(request: Request) -> bool:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise Problem(415, "unsupported_content_encoding", "Content-Encoding must be gzip, or left out.")
    return encoding == "gzip"


class _Lines(Response):
    """Sends each event when it is there. Starlette's own streaming response would read the body's rest away meanwhile."""

    media_type = _MEDIA_TYPE

    def __init__(self, first: Event, others: AsyncIterator[Event]) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._first = first
        self._others = others

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Send them to the last."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send(_line(self._first))
        async for event in self._others:
            await send(_line(event))
        await send({"type": "http.response.body", "body": b""})


def _line(event: Event) -> dict[str, Any]:
    text = json.dumps(event.model_dump(mode="json"), ensure_ascii=True, separators=(",", ":"))
    return {"type": "http.response.body", "body": text.encode() + b"\n", "more_body": True}
