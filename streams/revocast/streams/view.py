"""What this worker may answer. When it cannot know that it is current, it answers nothing: fail closed.

A partition answers when it is held and recovered, no epoch is being built, its mark is at least the newest checkpoint's n
(with the same hash at the same n), and that checkpoint was the newest in Kafka at most `MAX_LINK_AGE` seconds ago.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from revocast.schemas.chunks import partition_of
from revocast.schemas.row import FLAGS_AT, KIND, Row
from revocast.schemas.topics import FRAME_PARTITIONS
from revocast.streams.control import ControlReader
from revocast.streams.errors import Behind, NotHere
from revocast.streams.frames import Mark, bucket_of
from revocast.streams.shard import alive, bucket_key, epoch_prefix, live_rows, split_bucket
from revocast.streams.shard_agent import ShardAgent

__all__ = ["MAX_LINK_AGE", "View"]

MAX_LINK_AGE: Final = 10.0


class View:
    """Read side of one worker. `rebalancing` tells whether partitions are on the move."""

    def __init__(self, control: ControlReader, agent: ShardAgent, rebalancing: Callable[[], bool]) -> None:
        self._control = control
        self._agent = agent
        self._rebalancing = rebalancing

    @property
    def held(self) -> Mapping[int, Mark | None]:
        """Where each partition that this worker holds stands."""
        return {} if self._moving() else {p: shard.mark for p, shard in self._agent.shards.items()}

    def lookup(self, fingerprint: bytes, at_least: int = 0) -> tuple[Mark, list[Row]]:
        """The live rows of a fingerprint, and the place in the log at which that holds.

        Raises `NotHere` or `Behind`, also when the partition has not reached n = `at_least`.
        """
        bucket = bucket_of(fingerprint)
        partition = partition_of(bucket)
        mark = self.current(partition, at_least)
        _, packed = split_bucket(self._agent.table.read(partition, bucket_key(mark.epoch, bucket)))
        rows = map(Row.unpack, live_rows(packed, mark.t))
        return mark, [row for row in rows if row.fingerprint == fingerprint]

    def packed(self, partition: int) -> tuple[Mark, bytes]:
        """A partition's whole part of the table, and its place in the log. Raises `NotHere` or `Behind`."""
        mark = self.current(partition)
        buckets = self._agent.table.scan(partition, epoch_prefix(mark.epoch))
        return mark, b"".join(alive(split_bucket(value)[1], mark.t) for _, value in buckets)

    def counts(self, partition: int) -> tuple[Mark, Counter[int]]:
        """Live rows of a partition by kind code. Raises `NotHere` or `Behind`."""
        mark = self.current(partition)
        counts: Counter[int] = Counter()
        for _, value in self._agent.table.scan(partition, epoch_prefix(mark.epoch)):
            counts.update(row[FLAGS_AT] & KIND for row in live_rows(split_bucket(value)[1], mark.t))
        return mark, counts

    def current(self, partition: int, at_least: int = 0) -> Mark:
        """The partition's mark, if it may answer. Raises `NotHere` or `Behind`."""
        shard = None if self._moving() else self._agent.shards.get(partition)
        if shard is None:
            raise NotHere(f"partition {partition} is not held by this worker")
        checkpoint, link_age = self._control.checkpoint, self._control.link_age
        if checkpoint is None or link_age is None:
            raise Behind("no checkpoint has been read yet")
        if self._control.expired:
            raise Behind("the delegation list has expired; nobody knows which keys are still delegated")
        if link_age > MAX_LINK_AGE:
            raise Behind(f"Kafka has not been heard of for {link_age:.0f} s")
        mark = shard.mark
        if mark is None or shard.building or mark.epoch != checkpoint.epoch:
            raise Behind(f"partition {partition} has not completed epoch {checkpoint.epoch}")
        wanted = max(checkpoint.n, at_least)
        if mark.n < wanted:
            raise Behind(f"partition {partition} is at record {mark.n}, record {wanted} is published")
        if mark.n == checkpoint.n and mark.hash != checkpoint.hash:
            raise Behind(f"record {mark.n} is not the one that the issuer vouches for (fork)")
        return mark

    def _moving(self) -> bool:
        return self._rebalancing() or not self._agent.assigned

    def unready(self) -> list[str]:
        """Why this worker is not ready, a sentence each; empty: it answers for all that it holds."""
        if self._moving():
            return ["partitions are being assigned or recovered"]
        if self._control.checkpoint is None:
            return ["no checkpoint has been read yet"]
        reasons = []
        for partition in self._agent.shards:
            try:
                self.current(partition)
            except Behind as error:
                reasons.append(str(error))
        return reasons

    def lag(self, mark: Mark | None) -> int | None:
        """Records between a mark and the newest checkpoint; None: not known."""
        checkpoint = self._control.checkpoint
        if checkpoint is None or mark is None or mark.epoch != checkpoint.epoch:
            return None
        return max(0, checkpoint.n - mark.n)

    @property
    def partitions(self) -> range:
        """All partitions of the table."""
        return range(FRAME_PARTITIONS)
