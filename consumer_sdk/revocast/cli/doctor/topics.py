"""The topics that a guard reads: whether they are there, and configured so that they lose nothing."""

from collections.abc import AsyncIterator
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from revocast.cli.doctor.finding import Finding, fail, ok
from revocast.schemas.settings import KafkaSettings
from revocast.schemas.topics import TopicSpec, problems

__all__ = ["examine_topics"]

_CHECK: Final = "topics"
_TIMEOUT_MS: Final = 10_000


async def examine_topics(settings: KafkaSettings) -> AsyncIterator[Finding]:
    """One finding for each topic that is not as it must be, else one for all."""
    admin = AIOKafkaAdminClient(**settings.client_options(), request_timeout_ms=_TIMEOUT_MS)
    try:
        await admin.start()
        copies = min(len((await admin.describe_cluster())["brokers"]), 3)
        control = [spec for spec in settings.topics.specs(copies) if spec.control]
        existing = set(await admin.list_topics())
        missing = [spec.name for spec in control if spec.name not in existing]
        wrong, unseen = await _wrong(admin, [spec for spec in control if spec.name in existing])
    except KafkaError as error:
        yield fail(
            _CHECK, f"Kafka does not answer: {type(error).__name__}", "Try again; look at the brokers."
        )
        return
    finally:
        await admin.close()
    if missing:
        yield fail(
            _CHECK,
            f"{', '.join(missing)}: not there, or not to be seen by this principal",
            "REVOCAST_PREFIX begins the names; `revocast topics ensure` creates them, `revocast topics acl` gives the rights.",
        )
    for problem in wrong:
        yield fail(_CHECK, problem, "`revocast topics verify` says how to mend it.")
    if unseen:
        yield ok(
            _CHECK,
            f"{', '.join(unseen)}: there; their configuration is not for this principal to see, which is right: an operator checks it "
            "with `revocast topics verify`",
        )
    elif not missing and not wrong:
        yield ok(_CHECK, f"{', '.join(spec.name for spec in control)}: as they must be")


async def _wrong(admin: AIOKafkaAdminClient, specs: list[TopicSpec]) -> tuple[list[str], list[str]]:
    """What is wrong, and the topics whose configuration is not shown to us."""
    if not specs:
        return [], []
    described = {
        topic["topic"]: topic for topic in await admin.describe_topics([spec.name for spec in specs])
    }
    configs: dict[str, dict[str, str]] = {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, spec.name) for spec in specs]
    for answer in await admin.describe_configs(asked):
        for code, _, _, name, entries in answer.resources:
            if not code:
                configs[name] = {entry[0]: entry[1] for entry in entries}
    wrong = [
        problem
        for spec in specs
        if spec.name in configs
        for problem in problems(spec, len(described[spec.name]["partitions"]), configs[spec.name])
    ]
    return wrong, [spec.name for spec in specs if spec.name not in configs]
