"""What a reader believes of a snapshot before it begins from it. Everything here raises `SchemaError`, saying what is wrong.

* Both sides signed the manifest, with keys that the root delegates to and that are good for its place.
* It is of the epoch in force, lies ahead of what the reader holds and not beyond the newest checkpoint: nothing but the issuer's
  own word says how far the log goes. At the checkpoint's very n it names the same record.
* The key versions that it names have been read.
* Each chunk has its SHA-256 and holds what the manifest says: so many rows, of those buckets, in order, alive, and no lift.
"""

import hashlib

from revocast.schemas.chain import Chain
from revocast.schemas.errors import SchemaError
from revocast.schemas.row import ROW_SIZE
from revocast.schemas.snapshot import Chunk, Manifest, read_countersigned
from revocast.sdk.row_order import problem_with

__all__ = ["Behind", "check_chunk", "usable_manifest"]


class Behind(SchemaError):
    """The snapshot is whole, as far as can be seen, and older than what the reader has."""


def usable_manifest(value: bytes | None, chain: Chain) -> Manifest:
    """The manifest in a record of the snapshots topic, if `chain` may go on from it."""
    if value is None:
        raise SchemaError("the snapshot was withdrawn")
    trust, checkpoint = chain.trust, chain.checkpoint
    manifest = read_countersigned(value, trust)
    delegations = trust.delegations
    if delegations is None or manifest.epoch != delegations.epoch:
        raise SchemaError("epoch: is not the one in force")
    if checkpoint is None or (manifest.epoch, manifest.n) > (checkpoint.epoch, checkpoint.n):
        raise SchemaError("n: lies beyond the newest checkpoint")
    if (manifest.epoch, manifest.n) == (checkpoint.epoch, checkpoint.n) and manifest.hash != checkpoint.hash:
        raise SchemaError("hash: is not that of the record which the newest checkpoint names")
    listed, key_set = trust.versions
    if manifest.delegations > listed or manifest.key_set > key_set:
        raise SchemaError("names key versions that have not been read")
    position = chain.position
    if position is not None and (manifest.epoch, manifest.n) <= (position.epoch, position.n):
        raise Behind("n: lies behind what has been read")
    return manifest


def check_chunk(chunk: Chunk, rows: bytes, t: int) -> None:
    """Whether `rows` are what the manifest, whose time is `t`, names as `chunk`."""
    if len(rows) != chunk.rows * ROW_SIZE:
        raise SchemaError("a chunk holds another number of rows than its manifest says")
    if hashlib.sha256(rows).digest() != chunk.sha256:
        raise SchemaError("a chunk does not have the SHA-256 that its manifest names")
    if problem := problem_with(rows, t):
        raise SchemaError(f"a chunk {problem}")
    if int.from_bytes(rows[:2]) != chunk.first or int.from_bytes(rows[-ROW_SIZE:][:2]) != chunk.last:
        raise SchemaError("a chunk holds rows of other buckets than its manifest says")
