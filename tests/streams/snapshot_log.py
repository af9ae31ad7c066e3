"""What stands on the snapshots topic, read as a stranger reads it, and the issuer's side of it: the countersignature."""

import hashlib
from dataclasses import dataclass

from revocast.schemas.errors import SchemaError
from revocast.schemas.snapshot import Countersigned, Manifest, chunk_key, read_countersigned, read_manifest
from revocast.schemas.trust import Trust
from revocast.testing import Authority, Message
from tests.streams.harness import Publisher, Worker, eventually, records_of


def trust_of(issuer: Authority) -> Trust:
    """What a reader of all key documents believes."""
    trust = Trust(issuer.issuer, issuer.pin)
    for message in issuer.keys:
        trust.receive(message.value, message.offset)
    return trust


@dataclass
class Found:
    """The newest value of each key, and the manifests among them."""

    values: dict[bytes, bytes]
    signed: dict[tuple[int, int], Manifest]
    countersigned: dict[tuple[int, int], Manifest]

    def rows(self, manifest: Manifest) -> bytes:
        """The table that a manifest names; fails where a chunk is not what it says."""
        parts = []
        for chunk in manifest.chunks:
            value = self.values[chunk_key(chunk.sha256)]
            assert hashlib.sha256(value).digest() == chunk.sha256
            parts.append(value)
        return b"".join(parts)


class SnapshotLog:
    """Reads `revocast.snapshots` of a publisher's deployment and countersigns there."""

    def __init__(self, kafka: str, publisher: Publisher) -> None:
        self._kafka = kafka
        self._publisher = publisher
        self.tables: dict[tuple[int, int], bytes] = {}
        """What the table was at each cut, by the model."""

    def cut(self) -> tuple[int, int]:
        """Append a cut; its place."""
        issuer = self._publisher.issuer
        issuer.append(cut=True)
        place = (issuer.position.epoch, issuer.position.n)
        self.tables[place] = issuer.table.pack()
        return place

    async def found(self) -> Found:
        """Everything that stands there now."""
        trust = trust_of(self._publisher.issuer)
        found = Found({}, {}, {})
        for record in await records_of(self._kafka, self._publisher.topics.snapshots):
            if record.value is None:
                found.values.pop(record.key, None)
            else:
                found.values[record.key] = record.value
        for key, value in found.values.items():
            for read, into in ((read_manifest, found.signed), (read_countersigned, found.countersigned)):
                if not key.startswith(b"manifest/"):
                    continue
                try:
                    manifest = read(value, trust)
                except SchemaError:
                    continue
                assert manifest.key == key
                into[manifest.epoch, manifest.n] = manifest
        return found

    async def manifest(self, place: tuple[int, int], worker: Worker | None = None) -> Manifest:
        """The manifest of a cut, once streams wrote it, equal to the model's table byte for byte."""

        async def written() -> Found | None:
            found = await self.found()
            return found if place in found.signed else None

        found: Found = await eventually(f"the manifest of {place}", written, worker)
        assert found.rows(found.signed[place]) == self.tables[place]
        return found.signed[place]

    async def countersign(self, place: tuple[int, int]) -> None:
        """Countersign the manifest that stands there, as the issuer does after it derived the same bytes."""
        issuer = self._publisher.issuer
        key = b"manifest/%d/%d" % place
        signed = (await self.found()).values[key]
        body = Countersigned(t=issuer.now, epoch=place[0], n=place[1], manifest=signed.decode())
        await self._publisher.send(self._publisher.topics.snapshots, Message(0, key, issuer.sign(body)))
