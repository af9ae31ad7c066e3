"""An authority whose snapshots are countersigned, and whose log is truncated behind them: relay, topics, streams by hand."""

from sqlalchemy import func, select

from revocast.issuer.authority.cutting import CutRule
from revocast.issuer.publication import Publication
from revocast.issuer.relay import Relay, UpkeepRules
from revocast.issuer.storage.snapshots import oldest_place, snapshots_in
from revocast.issuer.storage.tables import LogRecord
from revocast.schemas.chain import Chain
from revocast.schemas.settings import KafkaSettings
from revocast.schemas.snapshot import Manifest
from revocast.schemas.table import Table
from revocast.schemas.topics import Topics
from tests.issuer.core.authority import ISSUER, Authority
from tests.issuer.core.reader import Reader, read, until
from tests.issuer.core.streams import Streams

LOG_AGE = 1000


class Deployment:
    """Relays that it starts cut after every fifth record, and stop with `stop`."""

    def __init__(self, authority: Authority, kafka: str, topics: Topics) -> None:
        self.authority = authority
        self.settings = KafkaSettings(kafka=kafka, prefix=topics.prefix)
        self.streams = Streams(authority, kafka, topics)
        self._relays: list[Relay] = []

    async def start(self, publication: Publication | None = None, records: int = 5) -> None:
        rules = UpkeepRules(CutRule(records, 10**9), LOG_AGE)
        relay = self.authority.relay(self.settings, publication, rules=rules)
        self._relays.append(relay)
        await relay.start()

    async def stop(self) -> None:
        """All relays, the first one first."""
        while self._relays:
            await self.stop_first()

    async def stop_first(self) -> None:
        await self._relays.pop(0).stop()

    async def snapshot(self) -> tuple[Manifest, bytes]:
        """Revoke until a cut is taken, and have it countersigned."""
        before = self._taken()
        for _ in range(8):
            self.authority.block_one_more()
        await until(lambda: self._taken() > before, "a cut was taken")
        await self.published()
        written = await self.streams.write_snapshot()
        await until(lambda: self._states()[-1] == "countersigned", "it was countersigned")
        return written

    async def published(self) -> None:
        status = self.authority.service.status
        await until(lambda: status().published_n == status().n, "everything is published")

    async def truncated(self) -> tuple[Manifest, Manifest, bytes]:
        """Two snapshots, of which the first is old by then; the log begins with its record."""
        first, _ = await self.snapshot()
        self.authority.clock.now += LOG_AGE
        second, packed = await self.snapshot()
        await until(lambda: self.oldest == (first.epoch, first.n), "the log was truncated")
        await until(lambda: self.stored_from == first.n, "the database has forgotten it")
        return first, second, packed

    async def bounds(self, topic: str) -> tuple[int, int]:
        records = await read(self.streams.kafka, topic)
        return records[0].offset, records[-1].offset

    async def reader(self, manifest: Manifest, packed: bytes) -> Reader:
        """A service that never read the log: it starts from the snapshot."""
        topics, kafka = self.streams.topics, self.streams.kafka
        reader = Reader(ISSUER, self.authority.terms.root)
        for record in await read(kafka, topics.keys):
            reader.trust.receive(record.value, record.offset)
        reader.chain = Chain(reader.trust, manifest.position)
        reader.table = Table.from_packed(packed, manifest.t)
        for record in await read(kafka, topics.revocations):
            for verdict in reader.chain.receive(record.value, 0, record.offset):
                if verdict.record is not None:
                    reader.table.apply(verdict.record.rows, verdict.record.t)
        return reader

    @property
    def oldest(self) -> tuple[int, int]:
        with self.authority.storage.read() as session:
            return oldest_place(session)

    @property
    def stored_from(self) -> int:
        """The oldest n in the database."""
        with self.authority.storage.read() as session:
            return session.scalar(select(func.min(LogRecord.n))) or 0

    def _taken(self) -> int:
        return len(self._states())

    def _states(self) -> list[str]:
        with self.authority.storage.read() as session:
            return [str(each.state) for each in snapshots_in(session)]
