"""The snapshots topic, from its end: manifests, the newest first, then the chunks of one of them.

* The topic may hold hundreds of megabytes, and an unfinished snapshot may stand behind the newest whole one. So manifests are
  looked for in the last few records, then in twice as many before those, and so on.
* Chunks are read where the manifest's hints say, neighbours in one go. What does not stand there is looked for by its key, over
  the whole topic.
* Nothing is judged here. Records come as they are; several may claim to be the same chunk.
* Whoever may write there can fill it with junk. What is held of it in memory has a limit, the search for a manifest has one where it
  is not worth more, and the whole topic is looked through in vain no more than once.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from types import TracebackType
from typing import Final, Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from revocast.schemas.events import MAX_EVENT_BYTES
from revocast.schemas.settings import KafkaSettings
from revocast.schemas.snapshot import Manifest, chunk_key
from revocast.sdk.core import Received
from revocast.sdk.snapshot_loading import Candidate

__all__ = ["SnapshotReader"]

_MANIFEST: Final = b"manifest/"
_CHUNK_KEY_BYTES: Final = len(chunk_key(bytes(32)))
_FIRST_LOOK: Final = 4
_WAIT_MS: Final = 1000
_SILENT_AT_MOST: Final = 15
_FETCH_BYTES: Final = 4 * 1024 * 1024
_AT_ONCE: Final = 500
_HELD_BYTES: Final = 16 * 1024 * 1024
_MAX_KEYS: Final = 100_000
_RECORD_BYTES: Final = 1024
"""What a record costs beside its bytes, in bytes."""
_NEIGHBOURS: Final = 4
"""Records between two chunks that are rather read than skipped: a new place on the topic costs a round trip."""


class SnapshotReader:
    """A connection of its own, for as long as it is entered. Raises what Kafka's client raises.

    `reach`: bytes after which the search for a manifest is given up; None: never.
    """

    def __init__(self, settings: KafkaSettings, reach: int | None = None) -> None:
        self._reach = reach
        self._keys: set[bytes] | None = None
        self._partition = TopicPartition(settings.topics.snapshots, 0)
        self._consumer = AIOKafkaConsumer(
            **settings.client_options(),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # what compaction took away stands nowhere
            isolation_level="read_uncommitted",
            request_timeout_ms=10_000,
            max_partition_fetch_bytes=_FETCH_BYTES,
            check_crcs=False,  # every byte that is used has a SHA-256 or a signature
        )

    async def __aenter__(self) -> Self:
        try:
            await self._consumer.start()
            # Asked for by name, a missing topic would be created by some brokers.
            self._exists = self._partition.topic in await self._consumer.topics()
            if self._exists:
                self._consumer.assign([self._partition])
                self._begin = (await self._consumer.beginning_offsets([self._partition]))[self._partition]
                self._end = (await self._consumer.end_offsets([self._partition]))[self._partition]
        except BaseException:
            await self._consumer.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._consumer.stop()

    async def manifests(self) -> AsyncIterator[Received]:
        """Records under the key of a manifest, the newest first. Only as much is read as is asked for."""
        if not self._exists:
            return
        upper, look, reached = self._end, _FIRST_LOOK, 0
        while upper > self._begin:
            lower = max(self._begin, upper - look)
            found, held = deque[Received](), 0
            from_offset = lower
            async for record in self._between(lower, upper):
                reached += _RECORD_BYTES + len(record.value or b"")
                if self._reach is not None and reached > self._reach:
                    return
                if record.key is None or not record.key.startswith(_MANIFEST):
                    continue
                if record.value is not None and len(record.value) > MAX_EVENT_BYTES:
                    continue
                found.append(Received(record.offset, record.value))
                held += _RECORD_BYTES + len(record.value or b"")
                while held > _HELD_BYTES and len(found) > 1:
                    dropped = found.popleft()
                    held -= _RECORD_BYTES + len(dropped.value or b"")
                    from_offset = dropped.offset + 1
            for received in reversed(found):
                yield received
            # What had to be dropped is read again, in pieces that can be held.
            look = look * 2 if from_offset == lower else upper - from_offset
            upper = from_offset

    async def hinted(self, manifest: Manifest) -> AsyncIterator[Candidate]:
        """What stands where the manifest says that its chunks stand."""
        places = _places(manifest, range(len(manifest.chunks)))
        for first, last in _runs(chunk.offset for chunk in manifest.chunks):
            async for candidate in self._candidates(places, first, last + 1):
                yield candidate

    async def anywhere(self, manifest: Manifest, missing: Collection[int]) -> AsyncIterator[Candidate]:
        """What stands anywhere on the topic under the keys of these chunks."""
        places, keys = _places(manifest, missing), set[bytes]()
        if self._keys is not None and not places.keys() <= self._keys:
            return
        async for record in self._between(self._begin, self._end):
            if record.value is None or record.key is None:
                continue
            if len(record.key) == _CHUNK_KEY_BYTES and len(keys) <= _MAX_KEYS:
                keys.add(record.key)
            if (number := places.get(record.key)) is not None:
                yield Candidate(number, record.value)
        self._keys = keys if len(keys) <= _MAX_KEYS else None

    async def _candidates(self, places: dict[bytes, int], lower: int, upper: int) -> AsyncIterator[Candidate]:
        async for record in self._between(lower, upper):
            if record.value is not None and (number := places.get(record.key or b"")) is not None:
                yield Candidate(number, record.value)

    async def _between(self, lower: int, upper: int) -> AsyncIterator[ConsumerRecord[bytes, bytes]]:
        upper = min(upper, self._end)
        if lower >= upper:
            return
        self._consumer.seek(self._partition, lower)
        silent = 0
        while await self._consumer.position(self._partition) < upper:
            batches = await self._consumer.getmany(self._partition, timeout_ms=_WAIT_MS, max_records=_AT_ONCE)
            await asyncio.sleep(0)
            silent = 0 if batches else silent + 1
            if silent > _SILENT_AT_MOST:
                raise TimeoutError("the snapshots topic was not read to its end: Kafka does not answer")
            for record in batches.get(self._partition, ()):
                if record.offset < upper:
                    yield record


def _places(manifest: Manifest, numbers: Iterable[int]) -> dict[bytes, int]:
    return {chunk_key(manifest.chunks[number].sha256): number for number in numbers}


def _runs(offsets: Iterable[int]) -> Iterator[tuple[int, int]]:
    """The first and the last offset of each run of neighbours."""
    first = last = -1
    for offset in sorted(offsets):
        if first >= 0 and offset - last > _NEIGHBOURS:
            yield first, last
            first = offset
        elif first < 0:
            first = offset
        last = offset
    if first >= 0:
        yield first, last
