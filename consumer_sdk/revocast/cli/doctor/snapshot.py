"""The newest snapshot that both sides signed: how old it is, and whether every chunk of it can be read."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from aiokafka.errors import KafkaError

from revocast.cli.doctor.finding import Finding, fail, ok, warn
from revocast.cli.errors import CliError
from revocast.cli.times import show_time
from revocast.cli.topic_reader import assigned
from revocast.schemas.errors import SchemaError
from revocast.schemas.settings import KafkaSettings
from revocast.schemas.snapshot import Manifest, read_countersigned
from revocast.schemas.trust import Trust
from revocast.sdk.snapshot_reader import SnapshotReader
from revocast.sdk.snapshot_rules import check_chunk

__all__ = ["examine_snapshot"]

_CHECK: Final = "snapshot"
_MEND: Final = "`revocast snapshots list` shows what became of each cut; streams write them when REVOCAST_SNAPSHOT_KEY is set."
_TRIED: Final = 5


async def examine_snapshot(settings: KafkaSettings, trust: Trust, most: float) -> AsyncIterator[Finding]:
    """For `most` seconds at most; a large snapshot is read whole."""
    try:
        async with asyncio.timeout(most):
            begin = await _begin_of_log(settings)
            async with SnapshotReader(settings) as reader:
                manifest = await _newest(reader, trust)
                unreadable = await _unreadable(reader, manifest) if manifest is not None else 0
    except TimeoutError:
        yield warn(
            _CHECK,
            f"it was not read whole within {most:.0f} s",
            "Give `--timeout` more seconds, or look at the brokers.",
        )
        return
    except (KafkaError, CliError) as error:
        yield fail(
            _CHECK,
            f"the snapshots topic cannot be read: {type(error).__name__}",
            "See `topics` and `rights`.",
        )
        return
    if manifest is None and begin:
        yield fail(
            _CHECK, "the log was truncated, and there is no countersigned snapshot of what is gone", _MEND
        )
    elif manifest is None:
        yield ok(_CHECK, "none yet; the log reaches back to its first record")
    elif unreadable:
        yield (fail if begin else warn)(
            _CHECK,
            f"of {_said(manifest)}, {unreadable} chunks are not on the topic as they were signed",
            _MEND,
        )
    else:
        yield ok(_CHECK, f"{_said(manifest)}, every chunk as it was signed")


def _said(manifest: Manifest) -> str:
    return (
        f"the snapshot of record {manifest.epoch}/{manifest.n} ({show_time(manifest.t)}, {manifest.rows} rows in "
        f"{len(manifest.chunks)} chunks)"
    )


async def _begin_of_log(settings: KafkaSettings) -> int:
    async with assigned(settings, settings.topics.revocations) as consumer:
        begins: dict[Any, int] = await consumer.beginning_offsets(consumer.assignment())
        return min(begins.values())


async def _newest(reader: SnapshotReader, trust: Trust) -> Manifest | None:
    tried = 0
    async for record in reader.manifests():
        if record.value is None:
            continue
        try:
            return read_countersigned(record.value, trust)
        except SchemaError:
            tried += 1  # streams alone signed it as yet, or a stranger
        if tried == _TRIED:
            break
    return None


async def _unreadable(reader: SnapshotReader, manifest: Manifest) -> int:
    missing = set(range(len(manifest.chunks)))
    async for number, rows in reader.hinted(manifest):
        _tick_off(missing, manifest, number, rows)
    if missing:
        async for number, rows in reader.anywhere(manifest, missing):
            _tick_off(missing, manifest, number, rows)
    return len(missing)


def _tick_off(missing: set[int], manifest: Manifest, number: int, rows: bytes) -> None:
    try:
        check_chunk(manifest.chunks[number], rows, manifest.t)
    except SchemaError:
        return
    missing.discard(number)
