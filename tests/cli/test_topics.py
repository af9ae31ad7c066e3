from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from revocast.schemas.topics import Topics
from tests.cli.conftest import Cli


async def _create(kafka: str, topic: str, **config: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        configs = {name.replace("_", "."): value for name, value in config.items()}
        await admin.create_topics([NewTopic(topic, 1, 1, topic_configs=configs)])
    finally:
        await admin.close()


def _finding(data: dict[str, Any], topic: str) -> dict[str, Any]:
    return dict(next(finding for finding in data["findings"] if finding["topic"] == topic))


def test_ensure_creates_what_is_missing_and_repeating_it_changes_nothing(cli: Cli, prefix: str) -> None:
    before = cli("topics", "verify", "--json")
    assert before.code == 1
    assert f"{prefix}.revocations" in before.data["missing"]
    first = cli("topics", "ensure", "--json")
    assert (first.code, len(first.data["created"])) == (0, 7)
    second = cli("topics", "ensure", "--json")
    assert (second.code, second.data["created"]) == (0, [])
    assert cli("topics", "verify").code == 0


async def test_a_control_topic_that_loses_records_is_an_error_with_its_mend(
    cli: Cli, kafka: str, prefix: str
) -> None:
    topic = Topics(prefix).revocations
    await _create(kafka, topic, cleanup_policy="compact")
    done = cli("topics", "ensure", "--json")
    assert done.code == 1
    finding = _finding(done.data, topic)
    assert f"{topic}: cleanup.policy is compact and must be delete" in finding["problems"]
    assert finding["mend"].startswith(f"kafka-configs.sh --bootstrap-server {kafka} --alter --topic {topic}")
    assert "cleanup.policy=delete" in finding["mend"]


async def test_another_topic_that_keeps_too_little_is_a_warning(cli: Cli, kafka: str, prefix: str) -> None:
    await _create(kafka, Topics(prefix).dead_letters, retention_ms="1000")
    done = cli("topics", "ensure")
    assert done.code == 0, done.out
    assert "warning" in done.out


def test_a_kafka_that_is_away_is_exit_code_4_and_says_where_it_looked(cli: Cli) -> None:
    done = cli.having(REVOCAST_KAFKA="127.0.0.1:1")("topics", "verify")
    assert done.code == 4
    assert "Kafka at 127.0.0.1:1 does not answer" in done.err
    assert "Traceback" not in done.err
