"""The snapshots topic, from its end: manifests, the newest first, then the chunks of one of them.

* The topic may hold hundreds of megabytes, and an unfinished snapshot may stand behind the newest whole one. So manifests are
  looked for in the last few records, then in twice as many before those, and so on.
* Chunks are read where the manifest's hints say, neighbours in one go. What does not stand there is looked for by its key, over
  the whole topic.
* Nothing is judged here. Records come as they are; several may claim to be the same chunk.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from types import TracebackType
from typing import Final, Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from revocast.schemas.settings import KafkaSettings
from revocast.schemas.snapshot import Manifest, chunk_key
from revocast.sdk.core import Received
from revocast.sdk.snapshot_loading import Candidate

__all__ = ["SnapshotReader"]

_MANIFEST: Final = b"manifest/"
_FIRST_LOOK: Final = 4
_WAIT_MS: Final = 1000
_SILENT_AT_MOST: Final = 15
_FETCH_BYTES: Final = 4 * 1024 * 1024
_NEIGHBOURS: Final = 4
"""Records between two chunks that are rather read than skipped: a new place on the topic costs a round trip."""


class SnapshotReader:
    """A connection of its own, for as long as it is entered. Raises what Kafka's client raises."""

    def __init__(self, settings: KafkaSettings) -> None:
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
        upper, look = self._end, _FIRST_LOOK
        while upper > self._begin:
            lower = max(self._begin, upper - look)
            found = [
                Received(record.offset, record.value)
                async for record in self._between(lower, upper)
                if record.key is not None and record.key.startswith(_MANIFEST)
            ]
            for record in reversed(found):
                yield record
            upper, look = lower, look * 2

    async def hinted(self, manifest: Manifest) -> AsyncIterator[Candidate]:
        """What stands where the manifest says that its chunks stand."""
        places = _places(manifest, range(len(manifest.chunks)))
        for first, last in _runs(chunk.offset for chunk in manifest.chunks):
            async for candidate in self._candidates(places, first, last + 1):
                yield candidate

    async def anywhere(self, manifest: Manifest, missing: Collection[int]) -> AsyncIterator[Candidate]:
        """What stands anywhere on the topic under the keys of these chunks."""
        async for candidate in self._candidates(_places(manifest, missing), self._begin, self._end):
            yield candidate

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
            batches = await self._consumer.getmany(self._partition, timeout_ms=_WAIT_MS)
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
