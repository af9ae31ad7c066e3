"""Look-ups, counts and the table itself. A request for another worker's partition is passed on to it, once."""

import asyncio
from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response

from revocast.schemas.chunks import partition_of
from revocast.schemas.errors import SchemaError
from revocast.schemas.row import NEVER, Row, Slot
from revocast.schemas.selector import kind_name
from revocast.schemas.topics import FRAME_PARTITIONS
from revocast.schemas.trust import Trust
from revocast.streams.errors import Behind, NotHere
from revocast.streams.frames import Mark, bucket_of
from revocast.streams.http.models import Counts, Lookup, Place, RowView
from revocast.streams.peers import FORWARDED, Peers
from revocast.streams.view import View

__all__ = ["PLACE_HEADER", "table_routes"]

PLACE_HEADER = "Revocast-Place"
"""`<epoch>/<n>/<t>/<hash>` of a table that is answered as bytes."""
_ATTEMPTS = 20
_PAUSE_SECONDS = 0.1

Fingerprint = Annotated[str, Query(pattern="^[0-9a-f]{22}$", description="fingerprint of the selector, hex")]
AtLeast = Annotated[
    int, Query(ge=0, description="answer only with the state after this record, or a later one")
]
Partition = Annotated[int | None, Query(ge=0, lt=FRAME_PARTITIONS, description="one partition; default: all")]
Forwarded = Annotated[str | None, Header(alias=FORWARDED, include_in_schema=False)]
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    421: {"description": "this worker does not hold that partition"},
    503: {"description": "no worker can answer for certain now"},
}


def table_routes(view: View, trust: Trust, peers: Peers) -> APIRouter:
    """The routes that read rows."""
    routes = APIRouter(prefix="/v1", tags=["table"], responses=_PROBLEMS)

    @routes.get("/lookup", response_model=Lookup)
    async def lookup(
        fingerprint: Fingerprint, at_least: AtLeast = 0, forwarded: Forwarded = None
    ) -> Lookup | Response:
        """Everything that is live under a fingerprint. No rows: not revoked, as of `at`."""
        wanted = bytes.fromhex(fingerprint)
        partition = partition_of(bucket_of(wanted))
        try:
            mark, rows = view.lookup(wanted, at_least)
        except NotHere:
            if forwarded:
                raise
            params = {"fingerprint": fingerprint, "at_least": str(at_least)}
            status, headers, body = await peers.get(partition, "/v1/lookup", params)
            return Response(body, status, media_type=headers.get("Content-Type"))
        shown = [_shown(row, _kind(row.kind, trust)) for row in rows]
        return Lookup(fingerprint=fingerprint, partition=partition, at=Place.of(mark), rows=shown)

    @routes.get("/counts")
    async def counts(partition: Partition = None, forwarded: Forwarded = None) -> Counts:
        """Live rows by kind."""

        async def of(number: int) -> Counts:
            try:
                mark, by_code = view.counts(number)
            except NotHere:
                if forwarded:
                    raise
                return Counts.model_validate_json((await _passed_on(peers, number, "/v1/counts"))[1])
            named = {_kind(code, trust): count for code, count in sorted(by_code.items())}
            return Counts(at=Place.of(mark), partitions=[number], by_kind=named)

        wanted = view.partitions if partition is None else [partition]
        parts = await asyncio.gather(*(of(number) for number in wanted))
        total: Counter[str] = Counter()
        for part in parts:
            total.update(part.by_kind)
        slowest = min((part.at for part in parts), key=lambda at: (at.epoch, at.n))
        return Counts(at=slowest, partitions=list(wanted), by_kind=total)

    @routes.get(
        "/table", response_class=Response, responses={200: {"content": {"application/octet-stream": {}}}}
    )
    async def table(partition: Partition = None, forwarded: Forwarded = None) -> Response:
        """The packed table, 20 bytes a row, sorted: the bytes that issuer and guards hold at the same n."""

        async def of(number: int) -> tuple[str, bytes]:
            try:
                mark, packed = view.packed(number)
            except NotHere:
                if forwarded:
                    raise
                return await _passed_on(peers, number, "/v1/table")
            return _place(mark), packed

        wanted = view.partitions if partition is None else [partition]
        for _ in range(_ATTEMPTS):
            parts = await asyncio.gather(*(of(number) for number in wanted))
            places = {place for place, _ in parts}
            if len(places) == 1:
                body = b"".join(packed for _, packed in parts)
                return Response(
                    body, headers={PLACE_HEADER: places.pop()}, media_type="application/octet-stream"
                )
            await asyncio.sleep(_PAUSE_SECONDS)
        raise Behind("the partitions do not stand at one record; ask again, or for one partition")

    return routes


async def _passed_on(peers: Peers, partition: int, path: str) -> tuple[str, bytes]:
    status, headers, body = await peers.get(partition, path, {"partition": str(partition)})
    if status != 200:
        raise Behind(f"the worker that holds partition {partition} cannot answer ({status})")
    return headers.get(PLACE_HEADER, ""), body


def _place(mark: Mark) -> str:
    return f"{mark.epoch}/{mark.n}/{mark.t}/{mark.hash.hex()}"


def _kind(code: int, trust: Trust) -> str:
    try:
        return kind_name(code, trust.key_set.claims if trust.key_set else ())
    except SchemaError:
        return f"kind:{code}"  # Declared in a key set that has not arrived: the row counts all the same.


def _shown(row: Row, kind: str) -> RowView:
    return RowView(
        kind=kind,
        slot=row.slot.name.lower(),
        cutoff=row.cutoff if row.slot is Slot.CUTOFF else None,
        expires_at=None if row.expires_at == NEVER else row.expires_at,
    )
