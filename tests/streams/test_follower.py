"""The chain's side of the frames, without Kafka."""

from revocast.schemas.topics import FRAME_PARTITIONS
from revocast.schemas.trust import Trust
from revocast.streams.follower import Follower
from revocast.streams.frames import Frame, decode, encode
from revocast.streams.shard import Shard
from revocast.testing import Authority


def follower_of(issuer: Authority) -> Follower:
    trust = Trust(issuer.issuer, issuer.pin)
    for message in issuer.keys:
        trust.receive(message.value, message.offset)
    return Follower(trust, None)


def read(follower: Follower, issuer: Authority) -> list[list[Frame]]:
    frames: list[list[Frame]] = []
    for message in issuer.log.since(follower.next_offset):
        frames += follower.receive(message.value, 0.0, message.offset).frames
    return frames


def test_every_partition_gets_a_frame_of_every_record_and_together_they_hold_its_rows() -> None:
    issuer = Authority()
    issuer.append([issuer.block_row(issuer.subject(f"user-{number}")) for number in range(200)])
    *_, frames = read(follower_of(issuer), issuer)
    assert len(frames) == FRAME_PARTITIONS
    assert {frame.mark.n for frame in frames} == {issuer.position.n}
    assert sorted(row.pack() for frame in frames for row in frame.rows) == sorted(
        row.pack() for row in issuer.table
    )
    assert all(decode(encode([frame])) == [frame] for frame in frames)


def test_partition_after_partition_the_rows_are_the_sorted_table() -> None:
    issuer = Authority()
    for start in range(0, 3000, 1000):
        issuer.append([issuer.block_row(issuer.subject(f"user-{start + number}")) for number in range(1000)])
    stores: list[dict[bytes, bytes]] = [{} for _ in range(FRAME_PARTITIONS)]
    shards = [Shard() for _ in range(FRAME_PARTITIONS)]
    for frames in read(follower_of(issuer), issuer):
        for shard, store, frame in zip(shards, stores, frames, strict=True):
            store.update(shard.receive([frame], store.get).writes)
    values = [store[key] for store in stores for key in sorted(store) if len(key) == 6]
    assert b"".join(value[8:] for value in values) == issuer.table.pack()


def test_what_was_judged_before_counts_as_nothing() -> None:
    issuer = Authority()
    follower = follower_of(issuer)
    read(follower, issuer)
    again = follower.receive(issuer.log.messages[0].value, 0.0, 0)
    assert (again.frames, again.verdicts, follower.outcomes.total()) == ([], [], 1)


def test_more_records_than_can_be_held_are_read_again_after_the_gap() -> None:
    issuer = Authority()
    withheld = issuer.append()
    issuer.log.drop(-1)
    for _ in range(4200):
        issuer.append()
    follower = follower_of(issuer)
    read(follower, issuer)
    issuer.log.append(withheld.key, withheld.value)
    read(follower, issuer)
    assert follower.mark is not None
    assert follower.mark.n < issuer.position.n

    follower.rewind(whole=False)
    read(follower, issuer)
    assert follower.mark.n == issuer.position.n
