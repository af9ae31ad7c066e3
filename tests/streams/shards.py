"""The streams' table without Faust: the real shards over one dictionary."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from revocast.schemas.topics import FRAME_PARTITIONS
from revocast.streams.frames import Frame, Mark
from revocast.streams.shard import MARKS_KEY, Shard, epoch_prefix, live_rows, split_bucket


@dataclass
class Shards:
    """Twelve shards and their store; a crash forgets the shards, never the store."""

    store: dict[bytes, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.crash()

    def crash(self) -> None:
        self.shards = [
            Shard.load(lambda key, partition=partition: self.store.get(bytes([partition]) + key))  # type: ignore[misc]
            for partition in range(FRAME_PARTITIONS)
        ]

    def receive(self, partition: int, frame: Frame) -> None:
        prefix = bytes([partition])
        effect = self.shards[partition].receive([frame], lambda key: self.store.get(prefix + key))
        for key, value in effect.writes.items():
            self.store[prefix + key] = value

    def receive_all(self, records: Iterable[list[Frame]]) -> None:
        for frames in records:
            for partition, frame in enumerate(frames):
                self.receive(partition, frame)

    def table(self, mark: Mark) -> bytes:
        assert all(shard.mark == mark for shard in self.shards)
        return self.packed(mark)

    def packed(self, mark: Mark) -> bytes:
        # One partition after the other, buckets ascending: the order of the whole table.
        buckets = sorted(
            (key, value)
            for key, value in self.store.items()
            if key[1:] != MARKS_KEY and key[1:].startswith(epoch_prefix(mark.epoch))
        )
        rows = (row for _, value in buckets for row in live_rows(split_bucket(value)[1], mark.t))
        return b"".join(rows)
