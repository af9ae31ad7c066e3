"""From the snapshots topic to a base: the newest snapshot that may be used, or the one before it, or none.

Whatever is wrong with one is counted and said by the core, and the next older one is tried. Chunks go to their place in the
draft as they come, in whatever order, and no more than one is held in memory.

Anybody who may write there can send an old snapshot again, behind the newest one. So one behind which the log does not seem to
go on is kept back until no other is found, and the very same record is looked at once.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Collection
from typing import Final, NamedTuple, Protocol

from revocast.schemas.errors import SchemaError
from revocast.schemas.row import ROW_SIZE
from revocast.schemas.snapshot import Manifest
from revocast.sdk.clock import Clock
from revocast.sdk.core import GuardCore, Received
from revocast.sdk.journal import logger
from revocast.sdk.local_copy import Draft, LocalCopy
from revocast.sdk.packed import PackedBase
from revocast.sdk.packed_index import IndexBuilder
from revocast.sdk.snapshot_rules import Behind, check_chunk

__all__ = ["Candidate", "Loaded", "Snapshots", "load_snapshot"]

_SAY_EVERY: Final = 5.0
_KEPT_BACK: Final = 2


class Candidate(NamedTuple):
    """What stands on the topic under the key of chunk `number` of a manifest."""

    number: int
    rows: bytes


class Loaded(NamedTuple):
    """A snapshot that is whole. The draft is open: publish it, or close it."""

    manifest: Manifest
    base: PackedBase
    draft: Draft


class Snapshots(Protocol):
    """Where snapshots are read from: the topic (snapshot_reader.py), or a test's memory."""

    def manifests(self) -> AsyncIterator[Received]: ...
    def hinted(self, manifest: Manifest) -> AsyncIterator[Candidate]: ...
    def anywhere(self, manifest: Manifest, missing: Collection[int]) -> AsyncIterator[Candidate]: ...


async def load_snapshot(
    snapshots: Snapshots,
    core: GuardCore,
    clock: Clock,
    copy: LocalCopy | None,
    *,
    needed: bool,
    ahead: int,
    log_begin: int,
) -> Loaded | None:
    """The newest usable snapshot; None: there is none.

    `needed`: the log, whose first offset is `log_begin`, does not hold what follows the core's place. Otherwise it may be read,
    and a snapshot is worth its bytes only if it is at least `ahead` records ahead. `copy` is where the rows may stay.
    """
    kept_back: list[Manifest] = []
    async for manifest in _usable(snapshots, core):
        if manifest is None:
            if not needed:
                return None  # so are those before it. Who needs one looks on: an old one may have been sent again
        elif needed and manifest.log_offset + 1 < log_begin:
            # The offset is a hint, and may be of a topic that is no more.
            kept_back = sorted([*kept_back, manifest], key=lambda each: each.n)[-_KEPT_BACK:]
        elif not needed and manifest.n - _n_of(core) < ahead:
            return None
        elif loaded := await _load(snapshots, core, clock, copy, manifest):
            return loaded
    for manifest in reversed(kept_back):
        if loaded := await _load(snapshots, core, clock, copy, manifest):
            return loaded
    return None


async def _usable(snapshots: Snapshots, core: GuardCore) -> AsyncIterator[Manifest | None]:
    """The manifests that the core may go on from, the newest record first; None for one that lies behind it."""
    seen = set[bytes]()
    async for received in snapshots.manifests():
        await asyncio.sleep(0)
        if received.value is None:
            continue  # reclaimed
        digest = hashlib.sha256(received.value).digest()
        if digest in seen:
            continue
        manifest: Manifest | None = None
        try:
            manifest = core.judge_snapshot(received.value)
        except Behind:
            pass
        except SchemaError:
            continue
        seen.add(digest)  # of what both sides have signed: that is not without end
        yield manifest


async def _load(
    snapshots: Snapshots, core: GuardCore, clock: Clock, copy: LocalCopy | None, manifest: Manifest
) -> Loaded | None:
    try:
        return await _Loading(snapshots, manifest, copy, clock).run()
    except SchemaError as error:
        core.refuse_snapshot(str(error))
        logger.warning("the snapshot of record %d is not used: %s", manifest.n, error)
        return None


def _n_of(core: GuardCore) -> int:
    position, delegations = core.chain.position, core.trust.delegations
    return position.n if position and delegations and position.epoch == delegations.epoch else 0


class _Loading:
    def __init__(
        self, snapshots: Snapshots, manifest: Manifest, copy: LocalCopy | None, clock: Clock
    ) -> None:
        self._snapshots = snapshots
        self._manifest = manifest
        self._draft = Draft(copy)
        self._clock = clock
        self._said_at = clock().monotonic
        self._missing = set(range(len(manifest.chunks)))
        self._problem = "a chunk is not on the topic"
        # Without the filter, which takes longer than all the rest; the first merge makes it.
        self._index = IndexBuilder(manifest.rows, with_filter=False)
        self._indexed = 0
        self._starts = [0]
        for chunk in manifest.chunks:
            self._starts.append(self._starts[-1] + chunk.rows)

    async def run(self) -> Loaded:
        try:
            async for candidate in self._snapshots.hinted(self._manifest):
                await self._take(candidate)
            if self._missing:
                async for candidate in self._snapshots.anywhere(self._manifest, self._missing):
                    await self._take(candidate)
                    if not self._missing:
                        break
            if self._missing:
                raise SchemaError(self._problem)
            base = self._draft.finish(self._manifest.rows, self._index.finish())
        except BaseException:
            self._draft.close()
            raise
        return Loaded(self._manifest, base, self._draft)

    async def _take(self, candidate: Candidate) -> None:
        number, rows = candidate
        if number not in self._missing:
            return
        try:
            check_chunk(self._manifest.chunks[number], rows, self._manifest.t)
        except SchemaError as error:
            self._problem = str(error)  # the right one may stand elsewhere
            return
        self._missing.discard(number)
        await asyncio.to_thread(self._draft.write, self._starts[number], rows)
        self._add_to_index(number, rows)
        self._say()
        await asyncio.sleep(0)

    def _add_to_index(self, number: int, rows: bytes) -> None:
        """An index is made in the order of the rows: of this chunk if it is the next, and of those that waited for it."""
        if number != self._indexed:
            return
        self._index.add(rows)
        self._indexed += 1
        while self._indexed < len(self._manifest.chunks) and self._indexed not in self._missing:
            start, end = self._starts[self._indexed : self._indexed + 2]
            self._index.add(self._draft.read(start, end - start))
            self._indexed += 1

    def _say(self) -> None:
        now = self._clock().monotonic
        if now - self._said_at < _SAY_EVERY:
            return
        self._said_at = now
        chunks, rows = len(self._manifest.chunks), self._manifest.rows
        logger.info(
            "reading the snapshot of record %d: %d of %d chunks, %d MB in all",
            self._manifest.n,
            chunks - len(self._missing),
            chunks,
            rows * ROW_SIZE // 1_000_000,
        )
