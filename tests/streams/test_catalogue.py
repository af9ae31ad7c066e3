"""What stands on the snapshots topic, what is used of it and what is deleted."""

import hashlib

import pytest

from revocast.schemas.checkpoint import Checkpoint
from revocast.schemas.events import Envelope
from revocast.schemas.jose import PrivateKey
from revocast.schemas.snapshot import chunk_key, read_countersigned, read_manifest
from revocast.streams.snapshots import catalogue
from revocast.streams.snapshots.catalogue import Catalogue
from revocast.testing import Authority, Message
from tests.streams.snapshot_log import trust_of


class Topic:
    """The topic of an authority, read by a catalogue."""

    def __init__(self, issuer: Authority) -> None:
        self.issuer = issuer
        self.catalogue = Catalogue(trust_of(issuer))

    def read(self) -> Catalogue:
        for message in self.issuer.snapshots.since(self.catalogue.next_offset):
            self.catalogue.receive(message.key, message.value, message.offset)
        return self.catalogue

    def write(self, key: bytes, value: bytes | None) -> Message:
        return self.issuer.snapshots.append(key, value)

    def snapshot(self, name: str, *, countersigned: bool = True) -> tuple[int, int]:
        """One more row and a snapshot of it; its place."""
        self.issuer.block(self.issuer.subject(name))
        if countersigned:
            self.issuer.snapshot()
        else:
            self.issuer.write_snapshot()
        return (self.issuer.position.epoch, self.issuer.position.n)

    def reclaim(self, *in_progress: bytes) -> list[bytes]:
        keys = self.read().reclaimable(in_progress)
        for key in keys:
            self.write(key, None)
        return keys

    @property
    def checkpoint(self) -> Checkpoint:
        message = self.issuer.checkpoint()
        assert message.value is not None
        return Checkpoint.from_event(Envelope.parse(message.value).event())

    def usable(self, after: tuple[int, int] = (0, 0)) -> list[tuple[int, int]]:
        return [each.place for each in self.read().usable(self.checkpoint, after)]


@pytest.fixture
def topic() -> Topic:
    return Topic(Authority())


def test_the_newest_countersigned_snapshot_comes_first_and_one_with_one_signature_never(topic: Topic) -> None:
    first, second = topic.snapshot("alice"), topic.snapshot("bob")
    third = topic.snapshot("carol", countersigned=False)
    assert topic.usable() == [second, first]
    assert topic.usable(after=first) == [second]
    assert [each.place for each in topic.catalogue.snapshots] == [first, second, third]


def test_a_snapshot_beyond_the_checkpoint_or_of_another_history_or_epoch_is_not_used(topic: Topic) -> None:
    first = topic.snapshot("alice")
    before = topic.checkpoint
    topic.snapshot("bob")
    forked = before.model_copy(update={"hash": bytes(32)})
    assert [each.place for each in topic.read().usable(before, (0, 0))] == [first]
    assert list(topic.catalogue.usable(forked, (0, 0))) == []
    assert list(topic.catalogue.usable(None, (0, 0))) == []
    topic.issuer.new_epoch()
    topic.catalogue = Catalogue(trust_of(topic.issuer))
    assert topic.usable() == []


def test_a_snapshot_that_names_keys_that_were_not_read_is_not_used(topic: Topic) -> None:
    topic.issuer.publish_key_set()
    topic.snapshot("alice")
    early = Authority()
    early.__dict__.update(topic.issuer.__dict__)
    early.keys = type(topic.issuer.keys)()
    early.keys.messages = topic.issuer.keys.messages[:-1]
    topic.catalogue = Catalogue(trust_of(early))
    assert topic.usable() == []


def test_a_chunk_that_somebody_overwrote_or_deleted_is_not_there(topic: Topic) -> None:
    first, second = topic.snapshot("alice"), topic.snapshot("bob")
    chunk = topic.read().snapshots[-1].manifest.chunks[0].sha256
    for damage in (b"x" * 20, None):
        kept = topic.issuer.snapshots.messages.copy()
        topic.write(chunk_key(chunk), damage)
        assert second not in topic.usable()
        assert chunk not in topic.catalogue.held
        rows = next(each.value for each in kept if each.key == chunk_key(chunk))
        topic.write(chunk_key(chunk), rows)
        assert topic.usable() == [second, first]
        assert chunk in topic.catalogue.held


def test_junk_under_any_key_is_no_snapshot_and_no_chunk(topic: Topic) -> None:
    first = topic.snapshot("alice")
    stranger = PrivateKey.generate()
    manifest = topic.read().snapshots[0].manifest
    genuine = next(
        each.value for each in reversed(topic.issuer.snapshots.messages) if each.key == manifest.key
    )
    for key, value in (
        (b"manifest/1/99", b"junk"),
        (b"manifest/1/99", genuine),
        (b"manifest/1/100", topic.issuer.sign(manifest, stranger)),
        (b"manifest/", b""),
        (b"chunk/" + b"00" * 32, b"junk"),
        (b"chunk/zz", b"junk"),
        (b"", b"junk"),
        (b"other", b"x" * 600_000),
    ):
        topic.write(key, value)
    topic.issuer.snapshots.append(b"manifest/1/101", b"x" * 600_000)
    assert topic.usable() == [first]
    assert len(topic.catalogue.chunks) == len(manifest.chunks)


def test_the_manifests_of_a_key_that_was_compromised_go_with_it(topic: Topic) -> None:
    topic.snapshot("alice")
    assert len(topic.read().snapshots) == 1
    topic.issuer._replace_snapshot_key()
    topic.issuer.publish_delegations()
    for message in topic.issuer.keys:
        topic.catalogue._trust.receive(message.value, message.offset)
    assert topic.usable() == []


def test_the_two_newest_countersigned_snapshots_keep_every_chunk_and_the_older_ones_go(topic: Topic) -> None:
    places = [topic.snapshot(f"user-{number}") for number in range(6)]
    assert topic.reclaim()
    assert topic.usable() == places[:3:-1]
    topic.issuer.snapshots.compact()
    left = {each.key: each.value for each in topic.issuer.snapshots}
    trust = trust_of(topic.issuer)
    for place in places[4:]:
        value = left[b"manifest/%d/%d" % place]
        assert value is not None
        manifest = read_countersigned(value, trust)
        assert all(chunk_key(chunk.sha256) in left for chunk in manifest.chunks)
    assert topic.reclaim() == []


def test_nothing_goes_before_two_snapshots_are_kept(topic: Topic) -> None:
    topic.write(b"chunk/" + b"00" * 32, b"junk")
    topic.snapshot("alice")
    assert topic.reclaim() == []


def test_chunks_of_cuts_in_progress_stay_reported_or_not(topic: Topic) -> None:
    for number in range(3):
        topic.snapshot(f"user-{number}")
    reported = topic.read().snapshots[0].manifest.chunks[0].sha256
    unreported = topic.write(*_chunk(b"\x01" * 20))
    topic.reclaim(reported)
    catalogue = topic.read()
    assert reported in catalogue.chunks
    assert unreported.offset in catalogue.chunks.values()
    # Once two more are kept that were written later, it can be of no cut that anybody still reports.
    for number in range(3, 5):
        topic.snapshot(f"user-{number}")
    topic.reclaim()
    assert unreported.offset not in topic.read().chunks.values()


def test_manifests_that_were_never_countersigned_go_when_two_newer_ones_are(topic: Topic) -> None:
    alone = topic.snapshot("alice", countersigned=False)
    first = topic.snapshot("bob")
    topic.reclaim()
    assert alone in [each.place for each in topic.read().snapshots]
    second = topic.snapshot("carol")
    topic.reclaim()
    assert [each.place for each in topic.read().snapshots] == [first, second]


def test_an_issuer_that_countersigns_nothing_does_not_make_the_topic_grow_for_ever(topic: Topic) -> None:
    trust = trust_of(topic.issuer)
    for number in range(20):
        topic.snapshot(f"user-{number}", countersigned=False)
        topic.reclaim()
        topic.issuer.snapshots.compact()
    manifests = [each for each in topic.issuer.snapshots if each.key.startswith(b"manifest/")]
    assert len(manifests) <= 4
    assert len(topic.issuer.snapshots.messages) <= 4 + sum(
        len(read_manifest(each.value or b"", trust).chunks) for each in manifests
    )


def test_junk_is_deleted_and_a_flood_of_it_pushes_no_snapshot_out(topic: Topic) -> None:
    first = topic.snapshot("alice")
    for number in range(600):
        topic.write(b"manifest/7/%d" % number, b"junk")
    assert topic.usable() == [first]
    second, third = topic.snapshot("bob"), topic.snapshot("carol")
    keys = topic.reclaim()
    assert sum(key.startswith(b"manifest/7/") for key in keys) == 600
    assert topic.usable() == [third, second]


def test_a_thief_of_the_snapshot_key_pushes_out_nothing_that_the_issuer_has_signed(
    topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "_MAX_MANIFESTS", 8)
    first, second = topic.snapshot("alice"), topic.snapshot("bob")
    genuine = topic.issuer.snapshots.messages
    manifest = read_countersigned(genuine[-1].value or b"", trust_of(topic.issuer))
    for n in range(100, 120):
        forged = manifest.model_copy(update={"n": n})
        topic.write(forged.key, topic.issuer.sign(forged, topic.issuer.snapshot_key))
    assert topic.usable() == [second, first]
    topic.reclaim()
    assert topic.usable() == [second, first]


def test_a_flood_of_chunks_that_are_what_their_names_say_takes_no_more_memory_than_junk(
    topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "_MAX_CHUNKS", 20)
    first, second = topic.snapshot("alice"), topic.snapshot("bob")
    keys = {topic.write(*_chunk(number.to_bytes(20))).key for number in range(200)}
    assert len(topic.read().chunks) <= 20
    assert topic.usable() == [second, first]
    third = topic.snapshot("carol")
    fourth = topic.snapshot("dave")
    assert topic.usable()[:2] == [fourth, third]
    assert keys <= set(topic.reclaim()), "and all of it is deleted"
    assert topic.usable() == [fourth, third]


def test_no_chunk_of_a_kept_snapshot_is_deleted_though_a_flood_stood_between_it_and_its_manifest(
    topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "_MAX_CHUNKS", 20)
    topic.snapshot("alice")
    *chunks, _unsigned, manifest = topic.issuer.snapshots.messages
    topic.issuer.snapshots.messages[:] = []
    for message in chunks:
        topic.write(message.key, message.value)
    for number in range(200):
        topic.write(*_chunk(number.to_bytes(20)))
    topic.write(manifest.key, manifest.value)
    topic.snapshot("bob")
    assert not {message.key for message in chunks} & set(topic.reclaim())


def test_a_topic_that_was_created_again_is_read_from_nothing(topic: Topic) -> None:
    topic.snapshot("alice")
    catalogue = topic.read()
    catalogue.receive(*_chunk(b"\x02" * 20), 0)
    assert (catalogue.snapshots, len(catalogue.chunks), catalogue.next_offset) == ([], 1, 1)


def _chunk(rows: bytes) -> tuple[bytes, bytes]:
    return chunk_key(hashlib.sha256(rows).digest()), rows
