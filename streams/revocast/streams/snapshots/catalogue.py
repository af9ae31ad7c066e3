"""What stands on `revocast.snapshots`, key by key, for whoever has read it from its beginning. No I/O.

* A chunk is there if the newest record under its name has just these bytes. Who overwrites or deletes one makes it absent.
* A manifest counts while `trust` believes it, countersigned or not, and under its own key alone. It is judged when asked for:
  a key that was compromised since takes its manifests along.
* Whatever else stands there is junk, and is remembered only to be deleted. Anybody can write chunks that are what their names
  say, too: of more than any table has, those that no snapshot names are junk.
* The snapshots that are kept: the two newest that are countersigned, and after the older of them the three that were written
  last with one signature, which the issuer may yet countersign.
"""

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from revocast.schemas.checkpoint import Checkpoint
from revocast.schemas.errors import SchemaError
from revocast.schemas.events import MAX_EVENT_BYTES
from revocast.schemas.snapshot import Manifest, chunk_key, read_countersigned, read_manifest
from revocast.schemas.trust import Trust

__all__ = ["Catalogue", "Snapshot"]

_COUNTERSIGNED_KEPT: Final = 2
_UNSIGNED_KEPT: Final = 3
_MAX_MANIFESTS: Final = 256
_MAX_CHUNKS: Final = 100_000
_MAX_JUNK: Final = 100_000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A manifest that is believed, and whether both sides signed it. `offset` is its place on the topic."""

    manifest: Manifest
    countersigned: bool
    offset: int

    @property
    def place(self) -> tuple[int, int]:
        """(epoch, n)."""
        return (self.manifest.epoch, self.manifest.n)


class Catalogue:
    """Reader of the topic. `chunks` are those that are there, by SHA-256, with their offsets."""

    def __init__(self, trust: Trust) -> None:
        self.chunks: dict[bytes, int] = {}
        self.next_offset = 0
        self._trust = trust
        self._manifests: dict[bytes, _Listed] = {}
        self._junk: dict[bytes, int] = {}

    def receive(self, key: bytes | None, value: bytes | None, offset: int) -> None:
        """Take in the record at `offset`. One below `next_offset` is of a topic that was created again: all before is gone."""
        if offset < self.next_offset:
            self.chunks, self._manifests, self._junk = {}, {}, {}
        self.next_offset = offset + 1
        key = key or b""
        self._junk.pop(key, None)
        self._manifests.pop(key, None)
        named = _chunk_of(key)
        if named is not None:
            self.chunks.pop(named, None)
        if value is None:
            return
        if named is not None and named == hashlib.sha256(value).digest():
            self.chunks[named] = offset
            if len(self.chunks) > _MAX_CHUNKS:
                self._forget_chunks()
        elif key.startswith(b"manifest/") and len(value) <= MAX_EVENT_BYTES:
            self._manifests[key] = _Listed(value, offset)
            if len(self._manifests) > _MAX_MANIFESTS:
                self._forget_a_manifest()
        else:
            self._note_junk(key, offset)

    @property
    def snapshots(self) -> list[Snapshot]:
        """Every manifest that is believed now, the oldest place first."""
        judged = (self._judge(key, each) for key, each in self._manifests.items())
        return sorted((each for each in judged if each), key=lambda each: each.place)

    @property
    def kept(self) -> list[Snapshot]:
        """Those whose chunks are not to be touched."""
        listed = self.snapshots
        signed = [each for each in listed if each.countersigned][-_COUNTERSIGNED_KEPT:]
        floor = signed[0].place if len(signed) == _COUNTERSIGNED_KEPT else (0, 0)
        waiting = [each for each in listed if not each.countersigned and each.place > floor]
        return signed + sorted(waiting, key=lambda each: each.offset)[-_UNSIGNED_KEPT:]

    @property
    def held(self) -> set[bytes]:
        """The chunks that are there and stay, for they are of snapshots that are kept."""
        return _named_by(self.kept) & self.chunks.keys()

    def usable(self, checkpoint: Checkpoint | None, after: tuple[int, int]) -> Iterator[Snapshot]:
        """The countersigned snapshots that may take the place of records after `after`, the newest first.

        Of the epoch in force, not beyond the newest checkpoint or at odds with it, their key versions read, their chunks there.
        """
        listed = self._trust.delegations
        if checkpoint is None or listed is None:
            return
        for snapshot in reversed(self.snapshots):
            manifest = snapshot.manifest
            if (
                snapshot.countersigned
                and snapshot.place > after
                and manifest.epoch == listed.epoch == checkpoint.epoch
                and (
                    manifest.n < checkpoint.n
                    or (manifest.n, manifest.hash) == (checkpoint.n, checkpoint.hash)
                )
                and manifest.delegations <= self._trust.versions[0]
                and manifest.key_set <= self._trust.versions[1]
                and all(chunk.sha256 in self.chunks for chunk in manifest.chunks)
            ):
                yield snapshot

    def reclaimable(self, in_progress: Iterable[bytes]) -> list[bytes]:
        """Keys to delete. `in_progress` are chunks that partitions have reported for cuts without a manifest.

        What was written after one of the kept manifests stays: it may be of a cut that nobody has reported yet. So nothing
        is deleted before two are kept.
        """
        kept = self.kept
        if len(kept) < _COUNTERSIGNED_KEPT:
            return []
        horizon = min(each.offset for each in kept)
        named = _named_by(kept) | set(in_progress)
        manifests = {each.manifest.key for each in kept}
        chunks = ((chunk_key(sha256), at) for sha256, at in self.chunks.items() if sha256 not in named)
        others = ((key, each.offset) for key, each in self._manifests.items() if key not in manifests)
        junk = ((key, at) for key, at in self._junk.items() if _chunk_of(key) not in named)
        return [key for key, offset in (*chunks, *others, *junk) if offset < horizon]

    def _judge(self, key: bytes, listed: "_Listed") -> Snapshot | None:
        if listed.generation != self._trust.generation:
            listed.generation = self._trust.generation
            listed.snapshot = _read(key, listed, self._trust)
        return listed.snapshot

    def _forget_a_manifest(self) -> None:
        # Anybody who may write here can write any number of keys, and a thief of the snapshot key any number that are believed.
        key = min(self._manifests, key=self._signatures)
        self._note_junk(key, self._manifests.pop(key).offset)

    def _signatures(self, key: bytes) -> int:
        snapshot = self._judge(key, self._manifests[key])
        return 1 + snapshot.countersigned if snapshot else 0

    def _forget_chunks(self) -> None:
        """The oldest tenth of those that are not of a kept snapshot. One that is of a snapshot yet to be read comes with the next cut."""
        held = self.held
        oldest = itertools.islice((each for each in self.chunks if each not in held), _MAX_CHUNKS // 10 or 1)
        for sha256 in list(oldest):
            self._note_junk(chunk_key(sha256), self.chunks.pop(sha256))

    def _note_junk(self, key: bytes, offset: int) -> None:
        self._junk[key] = offset
        if len(self._junk) > _MAX_JUNK:
            del self._junk[next(iter(self._junk))]


@dataclass
class _Listed:
    value: bytes
    offset: int
    generation: int = -1  # of the trust that judged it
    snapshot: Snapshot | None = None


def _read(key: bytes, listed: _Listed, trust: Trust) -> Snapshot | None:
    for read, countersigned in ((read_countersigned, True), (read_manifest, False)):
        try:
            manifest = read(listed.value, trust)
        except SchemaError:
            continue
        return Snapshot(manifest, countersigned, listed.offset) if manifest.key == key else None
    return None


def _chunk_of(key: bytes) -> bytes | None:
    """The SHA-256 that a chunk's key names."""
    try:
        named = bytes.fromhex(key.removeprefix(b"chunk/").decode())
    except ValueError:
        return None
    return named if key == chunk_key(named) else None


def _named_by(snapshots: Iterable[Snapshot]) -> set[bytes]:
    return {chunk.sha256 for snapshot in snapshots for chunk in snapshot.manifest.chunks}
