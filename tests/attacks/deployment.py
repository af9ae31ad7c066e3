"""A whole deployment on a real Kafka, to be attacked: issuer and relay, a guard and a streams worker."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from revocast.dev.broker.ports import free_ports
from revocast.dev.broker.topics import create_topics
from revocast.issuer.authority.revocations import Revocation
from revocast.issuer.bootstrap import Home, Plan, init
from revocast.issuer.keystore import SealedKeys
from revocast.issuer.publication import Publication
from revocast.issuer.relay import Relay
from revocast.issuer.service import Service
from revocast.issuer.storage import Storage
from revocast.issuer.storage.log import head_of, packed_table, position_of
from revocast.issuer.storage.signing_keys import all_documents, event_key
from revocast.schemas.errors import SchemaError
from revocast.schemas.events import Envelope
from revocast.schemas.jose import PrivateKey
from revocast.schemas.record import Position
from revocast.schemas.row import Slot
from revocast.schemas.selector import Selector
from revocast.schemas.settings import KafkaSettings
from revocast.schemas.topics import Topics
from revocast.sdk import Guard, State
from revocast.sdk.freshness import Topic
from tests.issuer.core.reader import read
from tests.streams.harness import PLACE, Worker

__all__ = ["ISSUER", "Deployment", "deployed", "eventually"]

ISSUER = "https://issuer.example"
_SECONDS = 60.0
_RECORD_BYTES = 12 * 1024 * 1024


@dataclass
class Deployment:
    """`others` are what an attacker writes with: it takes values of any size."""

    kafka: str
    topics: Topics
    root: str
    folder: Path
    storage: Storage
    keystore: SealedKeys
    publication: Publication
    service: Service
    relay: Relay
    guard: Guard
    worker: Worker
    others: AIOKafkaProducer

    def name(self, topic: Topic) -> str:
        """Kafka's name of a control topic."""
        return {
            Topic.KEYS: self.topics.keys,
            Topic.LOG: self.topics.revocations,
            Topic.CHECKPOINTS: self.topics.checkpoints,
        }[topic]

    def new_relay(self) -> Relay:
        """A relay of this issuer, not started."""
        settings = KafkaSettings(kafka=self.kafka, prefix=self.topics.prefix)
        return Relay(self.storage, self.keystore, self.publication, settings)

    def new_guard(self, name: str, **options: Any) -> Guard:
        """A guard of the same deployment, on a disk of its own, not started."""
        folder = self.folder / name
        return Guard(
            ISSUER, "orders", self.kafka, self.root, prefix=self.topics.prefix, state_dir=folder, **options
        )

    def block(self, sub: str) -> None:
        """Write a revocation; the relay publishes it."""
        revocation = Revocation(Selector.subject(ISSUER, sub), Slot.BLOCK)
        self.service.revoke([revocation], [], actor="test", reason="")

    def table(self) -> tuple[Position, bytes]:
        """The issuer's place and table."""
        with self.storage.read() as session:
            return position_of(head_of(session)), packed_table(session)

    def event_key(self) -> PrivateKey:
        """The issuer's own event key: what it takes to write a genuine record."""
        with self.storage.read() as session:
            key = event_key(session)
            signer = self.keystore.signer(key.kid, key.handle)
        assert isinstance(signer, PrivateKey)
        return signer

    async def genuine(self) -> dict[Topic, list[bytes]]:
        """What the issuer has written; anybody can read it from the topics."""
        return {
            topic: [
                record.value
                for record in await read(self.kafka, self.name(topic))
                if self._wrote(record.value)
            ]
            for topic in Topic
        }

    def _wrote(self, value: bytes | None) -> bool:
        try:
            envelope = Envelope.parse(value or b"")
        except SchemaError:
            return False
        with self.storage.read() as session:
            documents = [document.compact for document in all_documents(session)]
        return value in documents or envelope.verified_by(self.event_key().public)

    async def agree(self) -> None:
        """Wait until guard and streams worker hold the issuer's table at the issuer's place, byte for byte."""
        head, table = self.table()

        async def streams() -> bool:
            answer = await self.worker.get("/v1/table")
            place = answer.headers.get(PLACE, "")
            at = answer.status_code == 200 and place.startswith(f"{head.epoch}/{head.n}/")
            assert not at or answer.content == table, "the worker's table is another"
            return at

        async def guard() -> bool:
            position, held = self.guard.table()
            assert position != head or held == table, "the guard's table is another"
            return position == head and self.guard.state is State.READY

        await eventually("the guard agrees", guard, self.said)
        await eventually("the streams worker agrees", streams, self.said)

    async def said(self) -> object:
        """What everybody says of himself, for a failure's text."""
        answer = await self.worker.get("/v1/status")
        return self.guard.health(), self.publication.relay, answer.text, self.worker.log.read_text()[-2000:]

    async def go_on(self, sub: str) -> None:
        """One more revocation, and everybody has it."""
        self.block(sub)
        await self.agree()


@asynccontextmanager
async def deployed(kafka: str, prefix: str, folder: Path) -> AsyncIterator[Deployment]:
    """Made, started, and agreed on a first revocation."""
    topics, home = Topics(prefix), Home(folder / "home")
    terms = await asyncio.to_thread(init, home, Plan(ISSUER, claims=("tenant",)))
    await create_topics(topics, kafka)
    storage, keystore = Storage(home.database_url), SealedKeys.from_file(home.master_key)
    publication = Publication()
    service = Service(storage, keystore, publication)
    settings = KafkaSettings(kafka=kafka, prefix=prefix)
    async with AsyncExitStack() as stack:
        stack.callback(storage.close)
        producer = AIOKafkaProducer(bootstrap_servers=kafka, max_request_size=_RECORD_BYTES)
        others = await stack.enter_async_context(producer)
        deployment = Deployment(
            kafka=kafka,
            topics=topics,
            root=terms.root,
            folder=folder,
            storage=storage,
            keystore=keystore,
            publication=publication,
            service=service,
            relay=Relay(storage, keystore, publication, settings),
            guard=Guard(
                ISSUER,
                "orders",
                kafka,
                terms.root,
                prefix=prefix,
                state_dir=folder / "guard",
                startup_timeout=60,
            ),
            worker=_worker(kafka, prefix, terms.root, folder),
            others=others,
        )
        deployment.worker.start()
        stack.callback(lambda: deployment.worker.kill() if deployment.worker.running else None)
        await deployment.relay.start()
        stack.push_async_callback(lambda: deployment.relay.stop())
        deployment.block("alice")
        await deployment.guard.start()
        stack.push_async_callback(lambda: deployment.guard.stop())
        await deployment.agree()
        yield deployment


def _worker(kafka: str, prefix: str, root: str, folder: Path) -> Worker:
    (port,) = free_ports(1)
    environ = {
        **os.environ,
        "REVOCAST_KAFKA": kafka,
        "REVOCAST_PREFIX": prefix,
        "REVOCAST_ISSUER": ISSUER,
        "REVOCAST_ROOT": root,
        "REVOCAST_STREAMS_LISTEN": f"127.0.0.1:{port}",
        "REVOCAST_STREAMS_SESSION_SECONDS": "3",
        "REVOCAST_STREAMS_DATADIR": str(folder / "worker"),
    }
    return Worker(environ, folder / "worker.log", port)


async def eventually(
    what: str, probe: Callable[[], Awaitable[bool]], said: Callable[[], Awaitable[object]] | None = None
) -> None:
    """Wait for a condition; after the deadline fail with its name, and with what is `said` then."""
    try:
        async with asyncio.timeout(_SECONDS):
            while not await probe():  # noqa: ASYNC110 - it is whatever a test looks at, and nothing signals it
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(
            f"after {_SECONDS:.0f} s still not: {what} {await said() if said else ''}"
        ) from None
