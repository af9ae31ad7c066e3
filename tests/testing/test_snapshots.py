"""The in-memory authority writes snapshots as streams and issuer do."""

import hashlib

import pytest

from revocast.schemas.chunks import MAX_CHUNK_BYTES
from revocast.schemas.errors import SchemaError
from revocast.schemas.row import ROW_SIZE, Row
from revocast.schemas.snapshot import chunk_key, read_countersigned, read_manifest
from revocast.schemas.trust import Trust
from revocast.testing import Authority


def trust_of(authority: Authority) -> Trust:
    trust = Trust(authority.issuer, authority.pin)
    for message in authority.keys:
        trust.receive(message.value, message.offset)
    return trust


def test_a_snapshot_is_the_table_at_its_cut_in_chunks_that_two_sides_have_signed() -> None:
    authority = Authority()
    for name in ("alice", "bob", "carol"):
        authority.block(authority.subject(name))

    message = authority.snapshot()

    assert message.value is not None
    manifest = read_countersigned(message.value, trust_of(authority))
    chunks = {each.key: each.value for each in authority.snapshots}
    rows = b"".join(chunks[chunk_key(chunk.sha256)] or b"" for chunk in manifest.chunks)
    assert rows == authority.table.pack()
    assert manifest.position == authority.position


def test_what_only_streams_have_signed_is_not_countersigned() -> None:
    authority = Authority()
    written = authority.write_snapshot()

    assert written.value is not None
    assert read_manifest(written.value, trust_of(authority)).n == authority.position.n
    with pytest.raises(SchemaError):
        read_countersigned(written.value, trust_of(authority))


def test_compaction_leaves_the_countersigned_manifest_and_each_chunk_once() -> None:
    authority = Authority()
    authority.block(authority.subject("alice"))
    authority.snapshot()
    authority.block(authority.subject("bob"))
    authority.snapshot()
    authority.snapshots.compact()

    keys = [message.key for message in authority.snapshots]
    assert len(keys) == len(set(keys))
    for message in authority.snapshots:
        if message.key.startswith(b"manifest/"):
            assert message.value is not None
            read_countersigned(message.value, trust_of(authority))


def test_an_old_snapshot_key_is_good_for_the_manifests_it_has_signed() -> None:
    authority = Authority()
    old = authority.write_snapshot()
    authority.rotate_snapshot_key()
    new = authority.write_snapshot()

    assert old.value is not None
    assert new.value is not None
    trust = trust_of(authority)
    assert read_manifest(old.value, trust).n < read_manifest(new.value, trust).n


def test_a_large_table_takes_several_chunks() -> None:
    authority = Authority()
    for start in range(100):
        authority.append(
            [
                Row.for_block(
                    hashlib.sha256(b"%d" % (start * 1000 + each)).digest()[:11], 1, authority.now + 300
                )
                for each in range(1000)
            ]
        )
    authority.snapshot()

    sizes = [len(each.value or b"") for each in authority.snapshots if each.key.startswith(b"chunk/")]
    assert sum(sizes) == len(authority.table) * ROW_SIZE
    assert max(sizes) <= MAX_CHUNK_BYTES
    assert len(sizes) > 2
