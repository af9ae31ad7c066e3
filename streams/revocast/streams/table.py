"""The Faust table behind the shards: what Faust's own does not say about delivery, owners and late writers.

* A changelog record that Kafka refuses is only logged by Faust, and its offset is committed all the same. Here every write
  is followed until Kafka has it, so that a frame is acknowledged after its rows are safe, not before.
* Faust looks a key up in whatever partitions happen to be open and answers None for the others. Here a reader names the
  partition and is refused if it is not open.
* A worker that was thought dead may still write to the changelog. Recovery keeps the higher n, not the later record.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile
from typing import Any, cast

import faust
from aiokafka.errors import KafkaError
from faust.stores.rocksdb import Store as RocksDBStore
from faust.types import EventT, FutureMessage

from revocast.streams.errors import NotHere

__all__ = ["BucketTable", "Write"]

log = logging.getLogger(__name__)
RETRY_SECONDS = 0.5

Write = tuple[int, bytes, FutureMessage]
"""(partition, key, the changelog record on its way)."""


class BucketTable(faust.Table[bytes, bytes]):
    """Raw bytes by partition. Written only while an event of that partition is the current one."""

    def __init__(self, *args: Any, is_newer: Callable[[bytes, bytes, bytes], bool], **kwargs: Any) -> None:
        super().__init__(*args, key_type=bytes, value_type=bytes, **kwargs)
        self._is_newer = is_newer
        self._sent: list[Write] = []

    def send_changelog(
        self, partition: int | None, key: Any, value: Any, *args: Any, **kwargs: Any
    ) -> FutureMessage:
        """As Faust's, and remembered until `take_sent`."""
        future = super().send_changelog(partition, key, value, *args, **kwargs)
        assert partition is not None
        self._sent.append((partition, key, future))
        return future

    def take_sent(self) -> list[Write]:
        """What was sent since the last call."""
        sent, self._sent = self._sent, []
        return sent

    async def delivered(self, writes: Iterable[Write]) -> None:
        """Return when Kafka has every one. What it refuses is sent again, as the store has it by then."""
        for partition, key, future in writes:
            while True:
                try:
                    await future
                    break
                except KafkaError as error:
                    log.warning("changelog of partition %d not delivered, trying again: %r", partition, error)
                    await asyncio.sleep(RETRY_SECONDS)
                    future = super().send_changelog(partition, key, self.read(partition, key))

    def read(self, partition: int, key: bytes) -> bytes | None:
        """The value in that partition. Raises `NotHere` when the partition is not open."""
        value: bytes | None = self._open(partition).get(key)
        return value

    def scan(self, partition: int, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys with this prefix and their values, ascending, as they are at this call, whatever is written later.

        Until it is let go it keeps the store's files open. Raises `NotHere`.
        """
        # A RocksDB iterator sees what was there when it was opened. rocksdict's Snapshot would not do: its iterators, as
        # of 0.3.29, see what was written since.
        items: Iterator[tuple[bytes, bytes]] = self._open(partition).items(from_key=prefix)
        return takewhile(lambda item: item[0].startswith(prefix), items)

    def apply_changelog_batch(self, batch: Iterable[EventT[bytes]]) -> None:
        """Recovery: keep what is newer by n, whatever the order in which it was written."""
        fresh: dict[tuple[int, bytes], bytes | None] = {}
        kept = []
        for event in batch:
            partition, key, value = event.message.partition, event.message.key or b"", event.message.value
            place = (partition, key)
            old = fresh[place] if place in fresh else self._rocksdb._db_for_partition(partition).get(key)
            if value is None or old is None or self._is_newer(value, old, key):
                fresh[place] = value
                kept.append(event)
        super().apply_changelog_batch(kept)

    @property
    def _rocksdb(self) -> RocksDBStore:
        # Faust's public store answers without saying from which partition; its databases are told apart only inside.
        return cast(RocksDBStore, self.data)

    def _open(self, partition: int) -> Any:
        try:
            return self._rocksdb._dbs[partition]
        except KeyError:
            raise NotHere(f"partition {partition} is not held by this worker") from None
