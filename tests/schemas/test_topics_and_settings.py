import pytest

from revocast.schemas.errors import SettingsError
from revocast.schemas.settings import KafkaSettings
from revocast.schemas.topics import Topics, problems


def test_a_topic_as_it_was_created_has_no_problem() -> None:
    for spec in Topics("x").specs(3):
        assert problems(spec, spec.partitions, spec.config) == []


@pytest.mark.parametrize(
    "change",
    [
        {"cleanup.policy": "compact"},
        {"retention.ms": "604800000"},
        {"retention.bytes": "1000"},
        {"unclean.leader.election.enable": "true"},
        {"min.insync.replicas": "1"},
    ],
)
def test_a_control_topic_that_can_lose_records_is_a_problem(change: dict[str, str]) -> None:
    spec = Topics("x").specs(3)[0]
    (problem,) = problems(spec, 1, {**spec.config, **change})
    assert next(iter(change)) in problem
    assert "x.revocations" in problem


def test_settings_name_the_variable_and_not_the_value() -> None:
    with pytest.raises(SettingsError, match="REVOCAST_PREFIX") as error:
        KafkaSettings.from_env({"REVOCAST_KAFKA": "b:1", "REVOCAST_PREFIX": "se cret"})
    assert "se cret" not in str(error.value)
    with pytest.raises(SettingsError, match="REVOCAST_KAFKA"):
        KafkaSettings.from_env({})


def test_no_topic_takes_a_batch_that_its_readers_would_unpack() -> None:
    for spec in Topics().specs(1):
        assert spec.config["compression.type"] == "uncompressed"
        assert problems(spec, spec.partitions, {**spec.config, "compression.type": "producer"})
