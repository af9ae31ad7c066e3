"""The issuer as a process, against a real Kafka: what `published` and `pending` promise."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from revocast.schemas.topics import Topics
from tests.issuer.http.process import IssuerProcess


@pytest.fixture
def issuer(tmp_path: Path, kafka: str, topics: Topics, prefix: str) -> Iterator[IssuerProcess]:
    """An issuer that publishes."""
    with IssuerProcess(tmp_path / "home", kafka, prefix) as issuer:
        issuer.wait_for_relay("publishing")
        yield issuer


async def values(kafka: str, topic: str, count: int) -> list[bytes]:
    """The first records of a topic's partition 0."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=None, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        return [(await consumer.getone()).value for _ in range(count)]
    finally:
        await consumer.stop()


async def test_published_means_that_the_stored_bytes_are_on_the_topic(
    issuer: IssuerProcess, kafka: str, topics: Topics
) -> None:
    receipts = [issuer.revoke(sub) for sub in ("alice", "bob")]
    assert [receipt["status"] for receipt in receipts] == ["published", "published"]
    stored = [entry["signed"].encode() for entry in issuer.operate("GET", "/v1/log")["items"]]
    assert await values(kafka, topics.revocations, len(stored)) == stored
    status = issuer.operate("GET", "/v1/status")
    assert (status["published_n"], status["relay"]["state"]) == (status["n"], "publishing")


async def test_a_process_that_does_not_lead_also_answers_published(
    issuer: IssuerProcess, tmp_path: Path, kafka: str, prefix: str
) -> None:
    with IssuerProcess(issuer.home, kafka, prefix, issuer=issuer.url) as second:
        second.wait_for_relay("standby")
        assert second.revoke("alice")["status"] == "published"
        issuer.kill()
        second.wait_for_relay("publishing")
        assert second.revoke("bob")["status"] == "published"


async def test_the_log_of_the_process_holds_no_token(issuer: IssuerProcess) -> None:
    form = {"grant_type": "client_credentials"}
    token = issuer.http.post("/oauth/token", auth=issuer.operator, data=form).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    issuer.http.post("/v1/explain", headers=bearer, json={"token": token})
    issuer.http.get("/v1/revocations", headers=bearer, params={"value": token})
    issuer.http.get(f"/{token}")
    issuer.terminate()
    issuer.wait()
    written = issuer.log.read_text()
    assert "GET /v1/revocations 200" in written
    for secret in (*token.split("."), issuer.operator[1]):
        assert secret not in written


def test_the_end_waits_for_open_requests(tmp_path: Path) -> None:
    """SIGTERM while a revocation waits for a Kafka that is not there: it is still answered."""
    with IssuerProcess(tmp_path / "home", "127.0.0.1:9", "nowhere") as issuer:
        answers: list[Any] = []
        caller = threading.Thread(target=lambda: answers.append(issuer.revoke("alice")))
        caller.start()
        issuer.wait_for(lambda: issuer.operate("GET", "/v1/status")["n"] == 2)
        issuer.terminate()
        caller.join()
        issuer.wait()
        assert answers[0]["status"] == "pending"
        assert "Application shutdown complete" in issuer.log.read_text()
