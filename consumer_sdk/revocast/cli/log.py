"""`revocast log`: the signed chain, read straight from Kafka and judged by the readers' own rule."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from revocast.cli.answer import Answer, AsJson, lines, table
from revocast.cli.errors import FOUND
from revocast.cli.log_walk import LogWalk
from revocast.cli.pinned_root import pinned_root
from revocast.cli.settings import kafka_settings
from revocast.cli.times import show_time
from revocast.cli.topic_reader import read_to_end
from revocast.schemas.delegating import expiry_warning
from revocast.schemas.errors import ClaimUndeclared
from revocast.schemas.record import Record
from revocast.schemas.row import NEVER, Row
from revocast.schemas.selector import kind_name
from revocast.schemas.settings import KafkaSettings
from revocast.schemas.verdict import Verdict

__all__ = ["app"]

app = typer.Typer(help="The signed log: read from Kafka, verified here.", no_args_is_help=True)

_SHOWN_ODDITIES = 20
_SNAPSHOT_RECORDS = 1000  # a snapshot of ten million rows has a quarter of that
_CHECKPOINTS = 100  # the newest is enough; some more in case the last ones are forged


@app.command()
def show(
    after: Annotated[int, typer.Option(min=0, help="Records after this n.")] = 0,
    limit: Annotated[int, typer.Option(min=1, help="At most this many, the newest.")] = 50,
    as_json: AsJson = False,
) -> Answer:
    """The newest records, and whatever else lies on the topic, with what a reader makes of each.

    \b
    revocast log show --limit 10
    """
    kept: list[Verdict] = []

    def keep(verdict: Verdict) -> None:
        if verdict.record is None or verdict.record.n > after:
            kept.append(verdict)
            del kept[:-limit]

    walk = asyncio.run(_walk(keep))
    claims = walk.trust.key_set.claims if walk.trust.key_set else ()
    data = [_entry(verdict, claims) for verdict in kept]
    rows = (
        (
            entry["offset"],
            entry["n"] or "",
            show_time(entry["t"]) if entry["t"] else "",
            entry["outcome"],
            entry["says"],
        )
        for entry in data
    )
    return Answer(data, table(("offset", "n", "t", "outcome", "says"), rows))


@app.command()
def verify(as_json: AsJson = False) -> Answer:
    """Walk the chain from its first record and say whether it is whole, or where it breaks.

    A log that was truncated begins with the record of a cut: then a countersigned snapshot must hold what was before it.

    The root is REVOCAST_ROOT, else what the issuer answers now. Exit code 1: the log is not whole. Records that no reader
    believes are listed; they break nothing.
    """
    walk = asyncio.run(_walk())
    position, checkpoint = walk.chain.position, walk.chain.checkpoint
    data = {
        "whole": walk.problem is None,
        "problem": walk.problem,
        "issuer": walk.issuer,
        "root": walk.root,
        "root_pinned": walk.pinned,
        "warning": _expiry_warning(walk),
        "epoch": position.epoch if position else None,
        "n": position.n if position else None,
        "t": position.t if position else None,
        "hash": position.hash.hex() if position else None,
        "begins": {"epoch": walk.begins[0], "n": walk.begins[1]} if walk.begins else None,
        "table": (
            {"rows": len(walk.table), "sha256": walk.table.digest().hex()} if walk.table_known else None
        ),
        "checkpoint": {"n": checkpoint.n, "t": checkpoint.t} if checkpoint else None,
        "counts": {str(outcome): count for outcome, count in sorted(walk.counts.items())},
        "signed_by": walk.signers,
        "not_believed": [
            {
                "topic": topic,
                "offset": verdict.offset,
                "outcome": str(verdict.outcome),
                "reason": verdict.reason,
            }
            for topic, verdict in walk.oddities
        ],
    }
    style, exit_code = ("bold red", FOUND) if walk.problem else ("bold green", 0)
    return Answer(data, lines(*_report(walk, data), style=style), exit_code)


def _report(walk: LogWalk, data: dict[str, Any]) -> list[str]:
    said = [f"not whole: {walk.problem}"] if walk.problem else ["whole: every record follows the one before"]
    if position := walk.chain.position:
        first = walk.begins[1] if walk.begins and not walk.table_known else 1
        said.append(
            f"  epoch {position.epoch}, records {first} to {position.n}, the last of {show_time(position.t)}"
        )
        said.append(f"  head   {data['hash']}")
        if data["table"]:
            said.append(f"  table  {data['table']['rows']} rows, sha256 {data['table']['sha256']}")
        elif walk.snapshot:
            said.append(
                f"  table  not in these records alone: the snapshot of record {walk.snapshot[1]} holds it"
            )
    if checkpoint := walk.chain.checkpoint:
        said.append(f"  newest checkpoint: n = {checkpoint.n}, {show_time(checkpoint.t)}")
    said.append(
        f"  root   {data['root']}"
        + ("" if data["root_pinned"] else " (as the issuer says; REVOCAST_ROOT pins it)")
    )
    if data["warning"]:
        said.append(f"  warning: {data['warning']}")
    if walk.oddities:
        said.append(f"  {len(walk.oddities)} records that no reader believes:")
        said += [
            f"    {topic} at offset {verdict.offset}: {verdict.outcome}: {verdict.reason}"
            for topic, verdict in walk.oddities[:_SHOWN_ODDITIES]
        ]
    return said


def _expiry_warning(walk: LogWalk) -> str | None:
    listed = walk.trust.delegations
    return expiry_warning(listed.expires_at, time.time()) if listed else None


async def _walk(each: Callable[[Verdict], None] = lambda _: None) -> LogWalk:
    """Read keys, log and checkpoints, in an order in which nothing that is named can be missing."""
    kafka = kafka_settings()
    topics = kafka.topics
    issuer, root, pinned = await asyncio.to_thread(pinned_root)
    walk = LogWalk(issuer, root, pinned)
    checkpoints = [record async for record in read_to_end(kafka, topics.checkpoints, last=_CHECKPOINTS)]
    await _read_keys(kafka, walk)
    async for record in read_to_end(kafka, topics.revocations):
        for verdict in walk.receive_record(record.value, record.offset):
            each(verdict)
    if walk.chain.held_for_keys:  # keys that came while the log was read
        await _read_keys(kafka, walk)
    for verdict in walk.finish():
        each(verdict)
    if walk.begins:
        async for record in read_to_end(kafka, topics.snapshots, last=_SNAPSHOT_RECORDS):
            walk.receive_snapshot(record.value)
    for record in checkpoints:
        walk.receive_checkpoint(record.value, time.time(), record.offset)
    return walk


async def _read_keys(kafka: KafkaSettings, walk: LogWalk) -> None:
    async for record in read_to_end(kafka, kafka.topics.keys):
        walk.receive_key(record.value, record.offset)
    walk.settle_keys()


def _entry(verdict: Verdict, claims: Sequence[str]) -> dict[str, Any]:
    record = verdict.record
    return {
        "offset": verdict.offset,
        "outcome": str(verdict.outcome),
        "n": record.n if record else None,
        "epoch": record.epoch if record else None,
        "t": record.t if record else None,
        "hash": verdict.record_hash.hex() if record else None,
        "rows": [_row(row, claims) for row in record.rows] if record else [],
        "says": _contents(record, claims) if record else verdict.reason,
    }


def _row(row: Row, claims: Sequence[str]) -> dict[str, Any]:
    return {
        "fingerprint": row.fingerprint.hex(),
        "kind": _kind(row, claims),
        "slot": row.slot.name.lower(),
        "lift": row.lift,
        "cutoff": row.cutoff or None,
        "expires_at": None if row.lift or row.expires_at == NEVER else row.expires_at,
    }


def _contents(record: Record, claims: Sequence[str]) -> str:
    """`2 × subject cutoff, 1 × lift session block`; a record may also close the live set, cut, or only move the time."""
    counts = Counter(
        f"{'lift ' if row.lift else ''}{_kind(row, claims)} {row.slot.name.lower()}" for row in record.rows
    )
    said = [f"{count} × {what}" for what, count in counts.items()]
    said += ["closes the live set"] if record.closes_live_set else []
    said += ["cut"] if record.cut else []
    return ", ".join(said) or "moves the time"


def _kind(row: Row, claims: Sequence[str]) -> str:
    try:
        return kind_name(row.kind, claims)
    except ClaimUndeclared:
        return f"kind {row.kind}"
