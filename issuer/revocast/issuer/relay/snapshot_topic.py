"""`revocast.snapshots` as the issuer reads it: for a manifest, for a chunk, or from end to end.

Whoever may write to the topic may write anything under any key, and compaction keeps the newest of each: so the newest record
of a key is the one that counts, and it is worth what its bytes are worth. Of chunks only those are remembered that a
countersigned manifest names: others may be there without end.
"""

import asyncio
import hashlib
import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from revocast.issuer.relay.reading import PartitionReader
from revocast.schemas.errors import SchemaError
from revocast.schemas.snapshot import (
    Chunk,
    Manifest,
    chunk_key,
    manifest_key,
    read_countersigned,
    read_manifest,
)
from revocast.schemas.trust import Trust

__all__ = ["Held", "SnapshotTopic"]

_LOG: Final = logging.getLogger(__name__)
_MANIFEST: Final = b"manifest/"


@dataclass(slots=True)
class Held:
    """What the topic holds, from end to end: the countersigned manifests, and where chunks of theirs lie whose bytes are right."""

    chunks: dict[bytes, int] = field(default_factory=dict)
    manifests: dict[bytes, Manifest] = field(default_factory=dict)

    def has_chunks_of(self, manifest: Manifest) -> bool:
        """Whether all chunks of a snapshot are there, and right."""
        return all(chunk_key(chunk.sha256) in self.chunks for chunk in manifest.chunks)


class SnapshotTopic:
    """`reader` may be anywhere: what is read here is sought first."""

    def __init__(self, reader: PartitionReader) -> None:
        self._reader = reader
        self._followed = 0

    async def follow_from_end(self) -> None:
        """What is written from now on is what `manifest_of` reads."""
        self._followed = await self._reader.end()

    async def manifest_of(self, place: tuple[int, int], trust: Trust) -> tuple[Manifest, bytes] | None:
        """Read to an end offset asked now; the first manifest of this cut that a snapshot key of `trust` signed."""
        key, end, refused = manifest_key(*place), await self._reader.end(), 0
        # Whatever was read since: this goes on where it was. A topic that is shorter by now is another one.
        self._followed = min(self._followed, end)
        self._reader.seek(self._followed)
        while self._reader.next_offset < end:
            records = await self._reader.read()
            self._followed = self._reader.next_offset
            for record in records:
                if record.key == key and record.value is not None:
                    try:
                        manifest = read_manifest(record.value, trust)
                    except SchemaError:
                        refused += 1
                        continue
                    if (manifest.epoch, manifest.n) == place:
                        return manifest, record.value
        if refused:
            _LOG.warning(
                "snapshot %d/%d: streams' manifest is waited for; no snapshot key in force signed %d records under its key",
                *place,
                refused,
            )
        return None

    async def chunk(self, chunk: Chunk) -> bytes | None:
        """The bytes of a chunk, from where the manifest says that it lies; None: they are not there."""
        return await self._bytes_at(chunk.offset, chunk.sha256)

    async def read_all(self, trust: Trust) -> Held:
        """Read everything up to an end offset asked now, twice: for the manifests, then for the chunks that they name."""
        manifests = (await self._read_through(trust, ())).manifests.values()
        named = {chunk_key(chunk.sha256) for manifest in manifests for chunk in manifest.chunks}
        return await self._read_through(trust, named)

    async def _read_through(self, trust: Trust, named: Collection[bytes]) -> Held:
        held = Held()
        first, end = await self._reader.bounds()
        self._reader.seek(first)
        while self._reader.next_offset < end:
            for record in await self._reader.read():
                self._take(held, record.key or b"", record.value, record.offset, trust, named)
            await asyncio.sleep(0)  # what is published goes first
        return held

    async def chunk_held(self, held: Held, chunk: Chunk) -> bytes | None:
        """The bytes of a chunk that `read_all` has found."""
        offset = held.chunks.get(chunk_key(chunk.sha256))
        return None if offset is None else await self._bytes_at(offset, chunk.sha256)

    def _take(
        self,
        held: Held,
        key: bytes,
        value: bytes | None,
        offset: int,
        trust: Trust,
        named: Collection[bytes],
    ) -> None:
        held.chunks.pop(key, None)
        held.manifests.pop(key, None)
        if value is None:
            return
        if key in named:
            if key == chunk_key(hashlib.sha256(value).digest()):
                held.chunks[key] = offset
        elif key.startswith(_MANIFEST):
            try:
                manifest = read_countersigned(value, trust)
            except SchemaError:
                return
            if manifest.key == key:
                held.manifests[key] = manifest

    async def _bytes_at(self, offset: int, sha256: bytes) -> bytes | None:
        first, end = await self._reader.bounds()
        if not first <= offset < end:
            return None
        self._reader.seek(offset)
        records = await self._reader.read()
        if not records or records[0].offset != offset or records[0].value is None:
            return None
        value = bytes(records[0].value)
        return value if hashlib.sha256(value).digest() == sha256 else None
