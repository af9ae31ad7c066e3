"""The agent on the frames topic: keeps the shards that this worker holds, and their rows in the table.

* The shard decides, the table stores. Writes happen while their event is the current one; the event is acknowledged when
  Kafka has the changelog of all of them, by a task of its own, so that one delivery does not wait for the one before.
* On every rebalance all shards are forgotten and loaded again from the recovered store.
"""

import asyncio
import logging
from collections import defaultdict
from time import monotonic

import faust

from revocast.schemas.errors import SchemaError
from revocast.streams.control import ControlReader
from revocast.streams.errors import MalformedFrame
from revocast.streams.frames import decode, encode_request
from revocast.streams.patience import Patience
from revocast.streams.sending import send
from revocast.streams.shard import Effect, Shard, epoch_prefix
from revocast.streams.snapshots.cutter import Cutter
from revocast.streams.table import BucketTable, Write

__all__ = ["ShardAgent"]

log = logging.getLogger(__name__)
_IN_FLIGHT = 1000
_WATCH_SECONDS = 0.5


class ShardAgent:
    """`shards` are those that this worker holds and has recovered, by partition."""

    def __init__(
        self, table: BucketTable, control: ControlReader, cutter: Cutter, rewinds: faust.TopicT
    ) -> None:
        self.shards: dict[int, Shard] = {}
        self.malformed = 0
        self.assigned = False
        """Whether it is known what this worker holds; not while partitions are on the move."""
        self.table = table
        self._rewinds = rewinds
        self._control = control
        self._cutter = cutter
        self._gaps: set[int] = set()
        self._patience: dict[int, Patience] = defaultdict(Patience)
        self._sent: asyncio.Queue[tuple[faust.EventT[bytes], list[Write]]] = asyncio.Queue(_IN_FLIGHT)

    async def frames(self, stream: faust.Stream[bytes]) -> None:
        """Faust agent. What is queued here is acknowledged by `run`."""
        async for event in stream.noack().events():
            partition = event.message.partition
            self._apply(event.value, partition)
            await self._sent.put((event, self.table.take_sent()))

    async def run(self) -> None:
        """Acknowledge what Kafka has, until cancelled."""
        while True:
            event, writes = await self._sent.get()
            await self.table.delivered(writes)
            event.ack()

    async def watch(self) -> None:
        """Until cancelled, ask for the frames that a partition lacks: lost, or acknowledged by Faust without being seen."""
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            for partition, shard in list(self.shards.items()):
                behind = partition in self._gaps or self._control.is_ahead_of(shard.mark)
                if behind and self._patience[partition].ends(shard.newest, monotonic()):
                    request = encode_request(partition, shard.newest)
                    await send(self._rewinds, key=b"%d" % partition, value=request)

    def recovered(self, partitions: set[int]) -> None:
        """The store holds these partitions as their changelog has them."""
        self.shards = {partition: self._load(partition) for partition in sorted(partitions)}
        self.assigned = True
        log.info("holding partitions %s", list(self.shards))

    def forget(self) -> None:
        """A rebalance begins: answer for nothing until it is over."""
        self.shards = {}
        self.assigned = False

    def _load(self, partition: int) -> Shard:
        return Shard.load(lambda key: self.table.read(partition, key))

    def _apply(self, value: bytes, partition: int) -> None:
        shard = self.shards.get(partition) or self._load(partition)
        self.shards[partition] = shard
        try:
            frames = decode(value)
        except (MalformedFrame, SchemaError) as error:
            log.error("a message on the frames topic is not ours, partition %d: %s", partition, error)
            self.malformed += 1
            return
        while True:
            effect = shard.receive(frames, lambda key: self.table.read(partition, key))
            self._store(effect, partition)
            if effect.cut is None:
                break
            # Before anything behind it: what is frozen is exactly the state at the cut.
            self._cutter.freeze(partition, effect.cut)
            frames = frames[len(effect.steps) :]
        if effect.gap:
            self._gaps.add(partition)
        else:
            self._gaps.discard(partition)

    def _store(self, effect: Effect, partition: int) -> None:
        for key, stored in effect.writes.items():
            self.table[key] = stored
        if effect.retired_epoch is not None:
            for key in [key for key, _ in self.table.scan(partition, epoch_prefix(effect.retired_epoch))]:
                del self.table[key]
