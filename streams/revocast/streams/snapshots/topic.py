"""The edge to `revocast.snapshots`: follows it from its beginning, reads chunks back, writes.

Every worker follows it, as it does the keys: whoever cuts must know which chunks are there, whoever starts on a log that was
truncated which snapshots. What is written goes over a connection of its own, so that no frame waits behind a chunk.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from revocast.schemas.trust import Trust
from revocast.streams.errors import ChunkMissing
from revocast.streams.snapshots.catalogue import Catalogue

__all__ = ["SnapshotTopic"]

log = logging.getLogger(__name__)
_POLL_MS: Final = 200
_RETRY_SECONDS: Final = 0.5
_MAX_REQUEST_BYTES: Final = 1 << 20
_READ_SECONDS: Final = 30.0


class SnapshotTopic:
    """`catalogue` is what stands there. `options` open aiokafka clients."""

    def __init__(self, options: Mapping[str, Any], name: str, trust: Trust) -> None:
        self.catalogue = Catalogue(trust)
        self._options = dict(options)
        self._partition = TopicPartition(name, 0)
        self._producer: AIOKafkaProducer | None = None
        self._opening = asyncio.Lock()
        self._progress = asyncio.Condition()
        self._position = 0

    async def run(self) -> None:
        """Follow the topic until cancelled. A broker that is away is waited for."""
        while True:
            try:
                async with self._consumer() as consumer:
                    consumer.assign([self._partition])
                    consumer.seek(self._partition, self.catalogue.next_offset)
                    while True:
                        await self._turn(consumer)
            except KafkaError as error:
                log.warning("the snapshots cannot be read, trying again: %r", error)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _turn(self, consumer: AIOKafkaConsumer) -> None:
        batches = await consumer.getmany(self._partition, timeout_ms=_POLL_MS)
        for record in batches.get(self._partition, ()):
            self.catalogue.receive(record.key, record.value, record.offset)
            await asyncio.sleep(0)  # A chunk takes a millisecond to hash.
        position = await consumer.position(self._partition)
        async with self._progress:
            self._position = position  # Past what compaction has removed, too.
            self._progress.notify_all()

    async def caught_up(self) -> None:
        """Return when `catalogue` holds everything up to an end offset asked now. A broker that is away is waited for."""
        end = await self._end()
        async with self._progress:
            await self._progress.wait_for(lambda: self._position >= end)

    async def _end(self) -> int:
        while True:
            try:
                async with self._consumer() as consumer:
                    return int((await consumer.end_offsets([self._partition]))[self._partition])
            except KafkaError as error:
                log.warning("the end of the snapshots cannot be asked, trying again: %r", error)
                await asyncio.sleep(_RETRY_SECONDS)

    async def chunks(self, wanted: Sequence[bytes]) -> AsyncIterator[bytes]:
        """The rows of these chunks, one at least, in this order, each hashed again. Raises `ChunkMissing` or `KafkaError`."""
        offsets = [self.catalogue.chunks.get(sha256) for sha256 in wanted]
        async with self._consumer() as consumer:
            consumer.assign([self._partition])
            for sha256, offset in zip(wanted, offsets, strict=True):
                yield await self._read(consumer, sha256, offset)

    async def _read(self, consumer: AIOKafkaConsumer, sha256: bytes, offset: int | None) -> bytes:
        if offset is None:
            raise ChunkMissing(f"chunk {sha256.hex()} is not on the topic any more")
        consumer.seek(self._partition, offset)
        try:
            async with asyncio.timeout(_READ_SECONDS):
                record = await consumer.getone(self._partition)
        except TimeoutError:
            raise ChunkMissing(f"chunk {sha256.hex()} cannot be read back") from None
        rows = bytes(record.value or b"")
        if hashlib.sha256(rows).digest() != sha256:
            raise ChunkMissing(f"chunk {sha256.hex()} is not on the topic any more")
        return rows

    async def write(self, key: bytes, value: bytes | None) -> int:
        """Write one record; its offset, once every in-sync replica has it. A broker that is away is waited for."""
        while True:
            try:
                sent = await (await self._opened()).send_and_wait(
                    self._partition.topic, value, key=key, partition=self._partition.partition
                )
                return int(sent.offset)
            except KafkaError as error:
                log.warning("%s not written to the snapshots, trying again: %r", key.decode(), error)
                await asyncio.sleep(_RETRY_SECONDS)

    async def close(self) -> None:
        """Close the writing connection."""
        if self._producer:
            await self._producer.stop()

    async def _opened(self) -> AIOKafkaProducer:
        async with self._opening:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **self._options, acks="all", linger_ms=0, max_request_size=_MAX_REQUEST_BYTES
                )
                await producer.start()
                self._producer = producer
            return self._producer

    def _consumer(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            **self._options, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
        )
