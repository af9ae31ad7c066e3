"""The snapshot: the table at a cut, in chunks, and the manifest that two sides have signed.

* The manifest names the place (epoch, n, hash and t of the cut's record), every chunk by its SHA-256, and the versions of the
  key documents that were in force. Streams write the chunks first and the manifest last, signed by a snapshot key.
* The issuer derives the same chunks from its own database, and countersigns by putting the whole manifest into an event of its
  own, signed by an event key, under the same Kafka key. Nobody uses a manifest that only one side signed.
* A retired key is good for manifests up to its bound, as for records; a compromised one for none.
* Offsets in it are hints, to find things without a search. Nothing is believed because of them.
"""

import itertools
from typing import Annotated, ClassVar, Final, Self

from pydantic import Field, model_validator

from revocast.schemas.chunks import MAX_CHUNK_BYTES, partition_of
from revocast.schemas.errors import SchemaError
from revocast.schemas.events import Digest, Envelope, Event, EventBody, Model
from revocast.schemas.jose import PublicKey
from revocast.schemas.record import Position
from revocast.schemas.row import ROW_SIZE
from revocast.schemas.trust import Trust

__all__ = [
    "Chunk",
    "Countersigned",
    "Manifest",
    "chunk_key",
    "manifest_key",
    "read_countersigned",
    "read_manifest",
]

_MAX_ROWS: Final = MAX_CHUNK_BYTES // ROW_SIZE
_OFFSETS_END: Final = (1 << 63) - 1
"""Kafka's offsets are signed 64-bit integers, and so is the one after any of these."""


def chunk_key(sha256: bytes) -> bytes:
    """The Kafka key of a chunk: `chunk/<sha256 in hex>`."""
    return b"chunk/" + sha256.hex().encode()


def manifest_key(epoch: int, n: int) -> bytes:
    """The Kafka key of the manifest of the cut at this record: `manifest/<epoch>/<n>`."""
    return f"manifest/{epoch}/{n}".encode()


class Chunk(Model):
    """One chunk as the manifest names it. `first` and `last` are buckets; `offset` is a hint to its place on the topic."""

    sha256: Digest
    rows: int = Field(ge=1, le=_MAX_ROWS)
    first: int = Field(ge=0, lt=1 << 16)
    last: int = Field(ge=0, lt=1 << 16)
    offset: int = Field(ge=0, lt=_OFFSETS_END)

    @model_validator(mode="after")
    def _of_one_partition(self) -> Self:
        if self.first > self.last or partition_of(self.first) != partition_of(self.last):
            raise SchemaError("chunks: a chunk's buckets do not ascend within one partition")
        return self


class Manifest(EventBody):
    """What a snapshot consists of. `t` is that of record n, `root` the thumbprint of the root in force, `log_offset` a hint."""

    TYPE: ClassVar[str] = "urn:revocast:event:manifest:1"
    TOPIC: ClassVar[str] = "snapshots"

    epoch: int = Field(ge=1)
    n: int = Field(ge=1)
    hash: Digest
    rows: int = Field(ge=0)
    chunks: Annotated[tuple[Chunk, ...], Field(strict=False)]
    delegations: int = Field(ge=1)
    key_set: int = Field(ge=1)
    root: str = Field(min_length=43, max_length=43)
    log_offset: int = Field(ge=0, lt=_OFFSETS_END)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if sum(chunk.rows for chunk in self.chunks) != self.rows:
            raise SchemaError("rows: is not what the chunks hold")
        if any(one.last >= two.first for one, two in itertools.pairwise(self.chunks)):
            raise SchemaError("chunks: do not ascend")
        return self

    @property
    def jti(self) -> str:
        """`manifest/<epoch>/<n>`."""
        return manifest_key(self.epoch, self.n).decode()

    @property
    def key(self) -> bytes:
        """The Kafka key, the same as `jti`; the countersigned manifest takes its place."""
        return manifest_key(self.epoch, self.n)

    @property
    def position(self) -> Position:
        """Where in the log the table stands."""
        return Position(self.epoch, self.n, self.hash, self.t)


class Countersigned(EventBody):
    """The issuer's signature under a manifest, which is `manifest`, the compact token of streams. `t` is the issuer's clock."""

    TYPE: ClassVar[str] = "urn:revocast:event:countersigned-manifest:1"
    TOPIC: ClassVar[str] = "snapshots"

    epoch: int = Field(ge=1)
    n: int = Field(ge=1)
    manifest: str

    @property
    def jti(self) -> str:
        """`countersigned/<epoch>/<n>`."""
        return f"countersigned/{self.epoch}/{self.n}"

    @property
    def key(self) -> bytes:
        """The manifest's Kafka key."""
        return manifest_key(self.epoch, self.n)


def read_manifest(value: bytes, trust: Trust) -> Manifest:
    """The manifest that streams signed, not countersigned yet: for the issuer. Raises `SchemaError`, naming what is wrong."""
    envelope = Envelope.parse(value)
    manifest = Manifest.from_event(_verified(envelope, trust.snapshot_key(envelope.kid), trust))
    if not trust.covers_manifest(envelope.kid, manifest.epoch, manifest.n):
        raise SchemaError("kid: the manifest lies beyond what the retired snapshot key is good for")
    return manifest


def read_countersigned(value: bytes, trust: Trust) -> Manifest:
    """The manifest that both sides signed, under keys that `trust` delegates to. Raises `SchemaError`, naming what is wrong.

    Whether it may be used also takes its place: of the epoch in force, not beyond the newest checkpoint, not behind what one
    holds, and its key versions read.
    """
    envelope = Envelope.parse(value)
    outer = Countersigned.from_event(_verified(envelope, trust.record_key(envelope.kid), trust))
    if not trust.covers_record(envelope.kid, outer.epoch, outer.n):
        raise SchemaError("kid: the manifest lies beyond what the retired event key is good for")
    manifest = read_manifest(outer.manifest.encode(), trust)
    if (manifest.epoch, manifest.n) != (outer.epoch, outer.n):
        raise SchemaError("manifest: is of another cut than the countersignature")
    return manifest


def _verified(envelope: Envelope, key: PublicKey | None, trust: Trust) -> Event:
    if key is None:
        raise SchemaError("kid: the signing key is not delegated")
    if not envelope.verified_by(key):
        raise SchemaError("the signature does not verify")
    event = envelope.event()
    if event.issuer != trust.issuer:
        raise SchemaError("iss: is not this deployment's issuer")
    if event.topic != Manifest.TOPIC:
        raise SchemaError("aud: the event is for another topic")
    return event
