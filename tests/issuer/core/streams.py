"""What streams do with a cut, by hand: the table from the log, the chunks, the manifest that the snapshot key signs."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

from revocast.schemas.chunks import cut_chunks
from revocast.schemas.jose import PrivateKey
from revocast.schemas.record import Record
from revocast.schemas.row import Row
from revocast.schemas.snapshot import Chunk, Manifest, chunk_key
from revocast.schemas.table import Table
from revocast.schemas.topics import Topics
from tests.issuer.core.authority import Authority
from tests.issuer.core.reader import Reader, read, write


@dataclass(frozen=True)
class CutSeen:
    """A cut on the log, and the packed table at it."""

    record: Record
    hash: bytes
    offset: int
    packed: bytes


class Streams:
    """A reader that goes on where it was: it may sleep, and the log may be truncated behind it."""

    def __init__(self, authority: Authority, kafka: str, topics: Topics) -> None:
        self.authority = authority
        self.kafka = kafka
        self.topics = topics
        self.key = PrivateKey.from_pem(authority.home.snapshot_key.read_bytes())
        self.reader = Reader(authority.terms.issuer, authority.terms.root)
        self.cuts: list[CutSeen] = []

    async def follow(self) -> list[CutSeen]:
        """Read everything that is there; every cut so far."""
        reader = self.reader
        for record in await read(self.kafka, self.topics.keys):
            reader.trust.receive(record.value, record.offset)
        for record in await read(self.kafka, self.topics.revocations):
            for verdict in reader.chain.receive(record.value, 0, record.offset):
                if verdict.record is None:
                    continue
                reader.table.apply(verdict.record.rows, verdict.record.t)
                if verdict.record.cut:
                    packed = reader.table.pack()
                    self.cuts.append(CutSeen(verdict.record, verdict.record_hash, record.offset, packed))
        return self.cuts

    async def write_snapshot(
        self, change: Callable[[list[Row]], list[Row]] | None = None, key: PrivateKey | None = None
    ) -> tuple[Manifest, bytes]:
        """The newest cut's snapshot; the manifest and the packed table that it stands for."""
        seen = (await self.follow())[-1]
        record = seen.record
        table = Table.from_packed(seen.packed, record.t)
        rows = sorted(table, key=lambda row: row.key)
        rows = change(rows) if change is not None else rows
        buckets = (
            (bucket, b"".join(row.pack() for row in same))
            for bucket, same in groupby(rows, key=lambda row: int.from_bytes(row.fingerprint[:2], "big"))
        )
        chunks = list(cut_chunks(buckets))
        held = await read(self.kafka, self.topics.snapshots)
        first = held[-1].offset + 1 if held else 0
        await write(
            self.kafka, self.topics.snapshots, *((chunk_key(chunk.sha256), chunk.rows) for chunk in chunks)
        )
        manifest = Manifest(
            t=record.t,
            epoch=record.epoch,
            n=record.n,
            hash=seen.hash,
            rows=len(rows),
            chunks=tuple(
                Chunk(
                    sha256=chunk.sha256,
                    rows=chunk.count,
                    first=chunk.first,
                    last=chunk.last,
                    offset=first + index,
                )
                for index, chunk in enumerate(chunks)
            ),
            delegations=record.delegations,
            key_set=record.key_set,
            root=self.authority.terms.root,
            log_offset=seen.offset,
        )
        signed = manifest.signed(self.authority.terms.issuer, key or self.key)
        await write(self.kafka, self.topics.snapshots, (manifest.key, signed))
        return manifest, b"".join(chunk.rows for chunk in chunks)
