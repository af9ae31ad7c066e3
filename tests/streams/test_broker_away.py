"""The broker goes away under a worker: it refuses to answer, comes back by itself, and can be stopped meanwhile."""

import time

import pytest

from revocast.dev.broker import Broker
from tests.streams.harness import Publisher, Worker, eventually, ready, table_of

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def kafka(broker: Broker) -> str:
    """A broker of the test's own, in the place of the shared one."""
    return broker.bootstrap


async def test_an_outage_is_refused_then_survived_and_never_hangs_a_stop(
    broker: Broker, publisher: Publisher, worker: Worker
) -> None:
    issuer = publisher.issuer
    issuer.block(issuer.subject("alice"))
    await publisher.checkpoint()
    fingerprint = issuer.name(issuer.subject("alice"))[0].hex()
    await ready(worker)

    broker.kill()

    async def refuses() -> bool:
        answer = await worker.get("/v1/lookup", fingerprint=fingerprint)
        return answer.status_code == 503

    await eventually("503 once Kafka has not been heard of", refuses)
    broker.start()
    issuer.block(issuer.subject("bob"))
    await publisher.checkpoint()
    assert await table_of(worker, publisher) == issuer.table.pack()

    broker.kill()
    told_at = time.monotonic()
    assert worker.stop() == 0
    assert time.monotonic() - told_at < 15
    broker.start()  # The clean-up of the topics needs it.
