"""S10: a snapshot that is damaged, old, mixed or not countersigned is refused; the one before it, or the log, takes its place."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from revocast.dev.broker.topics import truncate
from revocast.schemas.chunks import CutChunk
from revocast.schemas.jose import PrivateKey
from revocast.schemas.row import NEVER, ROW_SIZE, Row, Slot, pack_rows
from revocast.schemas.settings import KafkaSettings
from revocast.schemas.snapshot import Countersigned, Manifest
from revocast.schemas.topics import Topics
from revocast.sdk import Guard, beginning, snapshot_reader
from revocast.sdk.errors import TokenRevoked
from revocast.sdk.freshness import State, Topic
from revocast.sdk.instant import Instant
from revocast.sdk.packed import PackedBase
from revocast.sdk.snapshot_loading import Loaded, load_snapshot
from revocast.sdk.snapshot_reader import SnapshotReader
from revocast.testing import Authority, Delivery, InMemorySnapshots, Message, core_for
from revocast.testing.authority import cut_table
from tests.sdk.stage import stage, until
from tests.sdk.test_follower import guard_on

# --- the newer of two snapshots, as an attacker leaves it


def chunk_truncated(issuer: Authority) -> None:
    issuer.snapshot()
    damage(issuer, lambda rows: rows[:-ROW_SIZE])


def bit_flipped(issuer: Authority) -> None:
    issuer.snapshot()
    damage(issuer, lambda rows: bytes((rows[0], rows[1], rows[2] ^ 1)) + rows[3:])


def chunk_missing(issuer: Authority) -> None:
    issuer.snapshot()
    issuer.snapshots.messages.remove(newest_chunk(issuer))


def chunk_of_another_snapshot(issuer: Authority) -> None:
    other = next(cut_table(issuer.table)).rows
    issuer.block(issuer.subject("dave"))
    issuer.snapshot()
    damage(issuer, lambda rows: other)


def not_countersigned(issuer: Authority) -> None:
    issuer.write_snapshot()


def countersigned_by_a_stranger(issuer: Authority) -> None:
    countersign(issuer, PrivateKey.generate())


def countersigned_by_streams(issuer: Authority) -> None:
    countersign(issuer, issuer.snapshot_key)


def countersigned_by_a_token_key(issuer: Authority) -> None:
    countersign(issuer, issuer.active)


def signed_twice_by_the_issuer(issuer: Authority) -> None:
    manifest = whole_manifest(issuer)
    issuer.countersign(issuer.snapshots.append(manifest.key, issuer.sign(manifest)))


def countersigned_beyond_a_retired_event_keys_bound(issuer: Authority) -> None:
    stolen = issuer.event_key
    issuer.rotate_event_key()
    countersign(issuer, stolen)


def signed_beyond_a_retired_snapshot_keys_bound(issuer: Authority) -> None:
    stolen = issuer.snapshot_key
    issuer.rotate_snapshot_key()
    manifest = whole_manifest(issuer)
    issuer.countersign(issuer.snapshots.append(manifest.key, issuer.sign(manifest, stolen)))


def countersignature_of_another_cut(issuer: Authority) -> None:
    manifest = whole_manifest(issuer)
    streams = issuer.sign(manifest, issuer.snapshot_key).decode()
    lying = Countersigned(t=issuer.now, epoch=manifest.epoch, n=manifest.n - 1, manifest=streams)
    issuer.snapshots.append(manifest.key, issuer.sign(lying))


def beyond_the_checkpoint(issuer: Authority) -> None:
    issuer.checkpoint()
    issuer.snapshot()


def of_another_history_at_the_checkpoint(issuer: Authority) -> None:
    manifest = whole_manifest(issuer)
    issuer.checkpoint()
    publish(issuer, manifest.model_copy(update={"hash": bytes(32)}))


def of_another_epoch(issuer: Authority) -> None:
    publish(issuer, whole_manifest(issuer).model_copy(update={"epoch": 2}))


def of_keys_that_nobody_has_read(issuer: Authority) -> None:
    publish(issuer, whole_manifest(issuer).model_copy(update={"key_set": issuer.key_set + 1}))


def an_offset_beyond_kafkas(issuer: Authority) -> None:
    publish(issuer, whole_manifest(issuer).model_copy(update={"log_offset": (1 << 63) - 1}))


def wrong_row_count(issuer: Authority) -> None:
    manifest = whole_manifest(issuer)
    first, *others = manifest.chunks
    chunks = (first.model_copy(update={"rows": first.rows + 1}), *others)
    publish(issuer, manifest.model_copy(update={"chunks": chunks, "rows": manifest.rows + 1}))


def rows_out_of_order(issuer: Authority) -> None:
    lie(issuer, lambda rows: list(reversed(rows)), first=ROWS[-1], last=ROWS[0])


def a_row_twice(issuer: Authority) -> None:
    lie(issuer, lambda rows: [rows[0], rows[0], *rows[1:]])


def rows_of_other_buckets(issuer: Authority) -> None:
    lie(issuer, lambda rows: rows, first=Row.for_block(b"\x00\x00" + bytes(9), 4, NEVER))


def a_dead_row(issuer: Authority) -> None:
    lie(issuer, lambda rows: [replace(rows[0], expires_at=issuer.position.t), *rows[1:]])


def a_lift(issuer: Authority) -> None:
    lie(issuer, lambda rows: [Row.for_lift(rows[0].fingerprint, rows[0].kind, Slot.BLOCK), *rows[1:]])


NEWER: dict[Callable[[Authority], None], str] = {
    chunk_truncated: "another number of rows",
    bit_flipped: "SHA-256",
    chunk_missing: "not on the topic",
    chunk_of_another_snapshot: "SHA-256",
    not_countersigned: "not delegated",
    countersigned_by_a_stranger: "not delegated",
    countersigned_by_streams: "not delegated",
    countersigned_by_a_token_key: "not delegated",
    signed_twice_by_the_issuer: "not delegated",
    countersigned_beyond_a_retired_event_keys_bound: "retired event key",
    signed_beyond_a_retired_snapshot_keys_bound: "retired snapshot key",
    countersignature_of_another_cut: "another cut",
    beyond_the_checkpoint: "beyond the newest checkpoint",
    of_another_history_at_the_checkpoint: "hash",
    of_another_epoch: "epoch",
    of_keys_that_nobody_has_read: "key versions",
    an_offset_beyond_kafkas: "log_offset",
    wrong_row_count: "another number of rows",
    rows_out_of_order: "not in order",
    a_row_twice: "not in order",
    rows_of_other_buckets: "other buckets",
    a_dead_row: "dead",
    a_lift: "lift",
}

ROWS = [Row.for_block(bytes((0x10, number)) + bytes(9), 4, NEVER) for number in range(3)]


@pytest.mark.parametrize("attack", NEWER, ids=lambda attack: attack.__name__)
@pytest.mark.parametrize("log_is_whole", [True, False], ids=["log", "truncated"])
async def test_s10_a_bad_snapshot_is_refused_and_the_one_before_it_or_the_log_takes_its_place(
    issuer: Authority, attack: Callable[[Authority], None], log_is_whole: bool
) -> None:
    bob = issuer.mint(sub="bob", client_id="another")
    if not log_is_whole:
        issuer.snapshot()
    older, behind = issuer.position, issuer.log.end
    issuer.block(issuer.subject("bob"))
    attack(issuer)
    if attack not in (beyond_the_checkpoint, of_another_history_at_the_checkpoint):
        issuer.cutoff(issuer.session("s-2"))
        issuer.checkpoint()
    reader = with_keys_and_checkpoints(issuer)

    loaded = await load(reader)

    assert reader.core.counters["snapshots.rejected"] >= 1
    assert NEWER[attack] in reader.core.missing()
    if log_is_whole:
        assert loaded is None
    else:
        issuer.log.truncate(behind)
        assert loaded is not None
        assert loaded.manifest.position == older
        begin(reader, loaded)
    reader.deliver()
    if attack is of_another_history_at_the_checkpoint:
        issuer.checkpoint()
        reader.deliver()
    assert reader.core.state is State.READY
    assert reader.core.table() == (issuer.position, issuer.table.pack())
    with pytest.raises(TokenRevoked):
        reader.core.verify(bob, reader.now)


async def test_s10_a_snapshot_of_a_compromised_key_is_refused(issuer: Authority) -> None:
    issuer.snapshot()
    issuer._replace_snapshot_key()
    issuer.publish_delegations()
    issuer.checkpoint()
    reader = with_keys_and_checkpoints(issuer)
    assert await load(reader) is None
    assert "not delegated" in reader.core.missing()


async def test_s10_an_older_snapshot_than_what_is_in_use_is_ignored(issuer: Authority) -> None:
    issuer.snapshot()
    issuer.block(issuer.subject("bob"))
    issuer.checkpoint()
    reader = Delivery(issuer, core_for(issuer))
    reader.deliver()
    table = reader.core.table()
    issuer.snapshots.replay(-1)
    assert await load(reader) is None
    assert "behind" in reader.core.missing()
    with pytest.raises(ValueError, match="behind"):
        reader.core.begin(PackedBase.build(), replace(issuer.position, n=2), 0, reader.now)
    assert reader.core.table() == table
    assert reader.core.state is State.READY


async def test_s10_an_old_snapshot_sent_again_hides_no_newer_one(issuer: Authority) -> None:
    old = issuer.snapshot()
    issuer.block(issuer.subject("bob"))
    issuer.snapshot()
    issuer.snapshots.append(old.key, old.value)
    issuer.checkpoint()
    reader = with_keys_and_checkpoints(issuer)
    loaded = await load(reader)
    assert loaded is not None
    begin(reader, loaded)
    loaded = await load(reader)
    assert loaded is not None
    assert loaded.manifest.position == issuer.position


async def test_s10_an_old_snapshot_sent_again_keeps_nobody_from_starting_on_a_truncated_log(
    issuer: Authority,
) -> None:
    old = issuer.snapshot()
    issuer.block(issuer.subject("bob"))
    issuer.snapshot()
    newest, behind = issuer.position, issuer.log.end
    issuer.block(issuer.subject("carol"))
    issuer.snapshots.append(old.key, old.value)
    issuer.checkpoint()
    issuer.log.truncate(behind - 1)
    reader = with_keys_and_checkpoints(issuer)
    loaded = await load(reader, log_begin=behind - 1)
    assert loaded is not None
    assert loaded.manifest.position == newest
    begin(reader, loaded)
    reader.deliver()
    assert reader.core.state is State.READY
    assert reader.core.table() == (issuer.position, issuer.table.pack())


async def test_s10_an_offset_is_a_hint_so_the_only_snapshot_is_used_whatever_it_says(
    issuer: Authority,
) -> None:
    issuer.snapshot()
    issuer.checkpoint()
    reader = with_keys_and_checkpoints(issuer)
    loaded = await load(reader, log_begin=issuer.log.end + 1000)
    assert loaded is not None
    assert loaded.manifest.position == issuer.position


async def test_s10_the_same_record_a_thousand_times_is_looked_at_once(issuer: Authority) -> None:
    old = issuer.snapshot()
    issuer.snapshots.messages.remove(newest_chunk(issuer))
    for _ in range(1000):
        issuer.snapshots.append(old.key, old.value)
    issuer.checkpoint()
    reader = with_keys_and_checkpoints(issuer)
    assert await load(reader) is None
    assert reader.core.counters["snapshots.rejected"] == 2, "once, and once what streams alone have signed"


async def test_s10_manifests_are_found_behind_more_of_them_than_are_held_at_once(
    kafka: str, topics: Topics, prefix: str, issuer: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_reader, "_HELD_BYTES", 8 * 1024)
    for number in range(60):
        issuer.snapshots.append(b"manifest/1/%d" % number, bytes(3000 if number % 3 else 9000))
    issuer.snapshots.append(b"manifest/1/60", bytes(600_000))  # longer than any event: not even held
    settings = KafkaSettings.model_validate({"kafka": kafka, "prefix": prefix})
    async with stage(issuer, topics, kafka), SnapshotReader(settings) as reader:
        assert [each.offset async for each in reader.manifests()] == list(reversed(range(60)))


async def test_s10_a_topic_full_of_junk_holds_up_no_guard_that_can_read_the_log(
    kafka: str,
    prefix: str,
    topics: Topics,
    issuer: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(beginning, "_SHORT", 1)
    monkeypatch.setattr(beginning, "_REACH", 64 * 1024)
    issuer.now = 1_800_000_000
    issuer.snapshot()
    for number in range(100):
        issuer.snapshots.append(b"manifest/1/%d" % (number + 100), b"junk")
    issuer.checkpoint()
    guard = guard_in_its_time(issuer, kafka, prefix, tmp_path)
    async with stage(issuer, topics, kafka), guard:
        assert guard.health().origin == "log"
        assert guard.table() == (issuer.position, issuer.table.pack())


async def test_s10_after_a_new_epoch_no_snapshot_of_the_old_one_counts(issuer: Authority) -> None:
    issuer.snapshot()
    issuer.new_epoch()
    issuer.checkpoint()
    reader = with_keys_and_checkpoints(issuer)
    assert await load(reader) is None
    reader.deliver()
    assert reader.core.state is State.READY
    assert reader.core.table() == (issuer.position, issuer.table.pack())


async def test_s10_on_kafka_a_guard_passes_over_damaged_and_forged_snapshots(
    kafka: str, prefix: str, topics: Topics, issuer: Authority, tmp_path: Path
) -> None:
    issuer.now = 1_800_000_000
    bob = issuer.mint(sub="bob", client_id="another")
    replayed = issuer.snapshot()
    issuer.block(issuer.subject("dave"))
    issuer.snapshot()
    behind = issuer.log.end
    issuer.block(issuer.subject("bob"))
    bit_flipped(issuer)
    countersigned_by_a_stranger(issuer)
    not_countersigned(issuer)
    issuer.snapshots.append(replayed.key, replayed.value)
    for number in range(40):  # an unfinished one behind them all
        issuer.snapshots.append(
            b"chunk/" + hashlib.sha256(bytes((number,))).hexdigest().encode(), bytes(900_000)
        )
    issuer.checkpoint()
    guard = guard_in_its_time(issuer, kafka, prefix, tmp_path)
    async with stage(issuer, topics, kafka) as staged:
        await truncate(topics.revocations, kafka, behind)
        async with guard:
            counters = guard.health().counters
            assert counters["snapshots.rejected"] >= 3
            assert guard.table() == (issuer.position, issuer.table.pack())
            with pytest.raises(TokenRevoked):
                guard.verify(bob)
            carol = issuer.mint(sub="carol", client_id="another")
            guard.verify(carol)
            issuer.block(issuer.subject("carol"))
            issuer.checkpoint()
            await staged.publish()
            await until(lambda: guard.health().n == issuer.position.n)
            with pytest.raises(TokenRevoked):
                guard.verify(carol)


# --- writing


def newest_chunk(issuer: Authority) -> Message:
    return next(each for each in reversed(issuer.snapshots.messages) if each.key.startswith(b"chunk/"))


def damage(issuer: Authority, change: Callable[[bytes], bytes]) -> None:
    """Other bytes in the place of the newest chunk."""
    message = newest_chunk(issuer)
    at = issuer.snapshots.messages.index(message)
    issuer.snapshots.messages[at] = replace(message, value=change(message.value or b""))


def whole_manifest(issuer: Authority) -> Manifest:
    return issuer.manifest_of(issuer.append(cut=True), cut_table(issuer.table))


def countersign(issuer: Authority, key: PrivateKey) -> None:
    """A whole manifest of streams, and somebody's signature in the place of the issuer's."""
    manifest = whole_manifest(issuer)
    streams = issuer.sign(manifest, issuer.snapshot_key).decode()
    body = Countersigned(t=issuer.now, epoch=manifest.epoch, n=manifest.n, manifest=streams)
    issuer.snapshots.append(manifest.key, issuer.sign(body, key))


def publish(issuer: Authority, manifest: Manifest) -> None:
    """What both sides have signed, be it as it may."""
    issuer.countersign(issuer.snapshots.append(manifest.key, issuer.sign(manifest, issuer.snapshot_key)))


def lie(
    issuer: Authority,
    change: Callable[[list[Row]], Iterable[Row]],
    first: Row = ROWS[0],
    last: Row = ROWS[-1],
) -> None:
    """A snapshot of one chunk, signed by both sides, whose rows are no table."""
    cut = issuer.append(cut=True)
    rows = pack_rows(change(ROWS))
    low, high = sorted(int.from_bytes(row.fingerprint[:2]) for row in (first, last))
    publish(issuer, issuer.manifest_of(cut, [CutChunk(low, high, rows)]))


# --- reading


def with_keys_and_checkpoints(issuer: Authority) -> Delivery:
    """A reader at the moment when it looks where to begin."""
    reader = Delivery(issuer, core_for(issuer))
    for topic in (Topic.KEYS, Topic.CHECKPOINTS):
        reader.feed(topic)
        reader.core.caught_up(topic, reader.core.ask(reader.now), reader.now)
    return reader


async def load(
    reader: Delivery, *, log_begin: int = 0, snapshots: InMemorySnapshots | None = None
) -> Loaded | None:
    snapshots = snapshots or InMemorySnapshots(reader.authority.snapshots)
    return await load_snapshot(
        snapshots, reader.core, lambda: reader.now, None, needed=True, ahead=0, log_begin=log_begin
    )


def guard_in_its_time(issuer: Authority, kafka: str, prefix: str, folder: Path) -> Guard:
    """A guard on a real Kafka, by the issuer's clock."""
    return guard_on(
        kafka,
        issuer,
        prefix,
        folder,
        clock=lambda: Instant(issuer.now, issuer.now),
        startup_timeout=20,
    )


def begin(reader: Delivery, loaded: Loaded) -> None:
    manifest = loaded.manifest
    reader.core.begin(loaded.base, manifest.position, manifest.log_offset, reader.now)
    reader.offsets[Topic.LOG] = manifest.log_offset + 1
    loaded.draft.close()
