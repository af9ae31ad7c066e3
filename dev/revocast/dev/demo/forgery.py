"""Records that somebody who can write to Kafka would write, and what became of them."""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from revocast.issuer.authority.lifecycle import KeyState
from revocast.issuer.bootstrap import Home
from revocast.issuer.keystore import SealedKeys
from revocast.issuer.storage import Storage
from revocast.issuer.storage.signing_keys import token_keys
from revocast.schemas.events import assemble
from revocast.schemas.record import Record
from revocast.schemas.signer import Signer

__all__ = ["collect", "publish", "signed_by", "stolen_token_key"]


def signed_by(signer: Signer, kid: str, record: Record, issuer: str) -> bytes:
    """`record` under `kid`, but signed by `signer`."""
    signing_input = record.signing_input(issuer, kid, signer.alg)
    return assemble(signing_input, signer.sign(signing_input))


def stolen_token_key(home: Home) -> Signer:
    """The key that signs tokens, as a thief of database and master key would have it."""
    storage = Storage(home.database_url)
    try:
        with storage.read() as session:
            stored = token_keys(session, KeyState.ACTIVE)[0]
            return SealedKeys.from_file(home.master_key).signer(stored.kid, stored.handle)
    finally:
        storage.close()


def publish(kafka: str, topic: str, values: Sequence[bytes]) -> list[int]:
    """Append records to a topic; their offsets."""

    async def write() -> list[int]:
        async with AIOKafkaProducer(bootstrap_servers=kafka, acks="all") as producer:
            return [(await producer.send_and_wait(topic, value, key=b"999999")).offset for value in values]

    return asyncio.run(write())


def collect(kafka: str, topic: str, wanted: int, timeout: float, *, begins: str = "") -> list[Any]:
    """Records of a topic from its beginning, until `wanted` are there or time is up.

    With `begins` only JSON events whose `type` begins so; the records are then these events.
    """

    async def read() -> list[Any]:
        found: list[Any] = []
        deadline = time.monotonic() + timeout
        async with AIOKafkaConsumer(topic, bootstrap_servers=kafka, auto_offset_reset="earliest") as consumer:
            while len(found) < wanted and time.monotonic() < deadline:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    if not begins:
                        found += records
                        continue
                    events = [json.loads(record.value) for record in records]
                    found += [event for event in events if event["type"].startswith(begins)]
        return found

    return asyncio.run(read())
