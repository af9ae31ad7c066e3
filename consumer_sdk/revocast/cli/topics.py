"""`revocast topics`: create what is missing, and check that what is there loses nothing. `acl` is in a file of its own."""

import asyncio
import shlex
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from revocast.cli.answer import Answer, AsJson, lines
from revocast.cli.errors import FOUND, Refused
from revocast.cli.settings import kafka_settings
from revocast.cli.topic_reader import kafka_error
from revocast.cli.topics_acl import acl
from revocast.schemas.settings import KafkaSettings
from revocast.schemas.topics import TopicSpec, problems

__all__ = ["app"]

app = typer.Typer(
    help="The Kafka topics: create, check that they lose nothing, and say who may do what.",
    no_args_is_help=True,
)
app.command()(acl)

_MAX_REPLICAS = 3
_SETTLE_S = 10.0

Replicas = Annotated[
    int | None, typer.Option(min=1, max=_MAX_REPLICAS, help="Copies of each; 3, or fewer with fewer brokers.")
]


@dataclass(frozen=True, slots=True)
class Finding:
    """One topic that is not as it must be; `mend` is the command that changes its configuration."""

    topic: str
    control: bool
    problems: tuple[str, ...]
    mend: str


@app.command()
def ensure(replicas: Replicas = None, as_json: AsJson = False) -> Answer:
    """Create the topics that are missing and check the others. Repeat it as often as you like; it changes no topic.

    A control topic that could lose records is an error (exit code 1), with the command that mends it.
    """
    return asyncio.run(_run(kafka_settings(), replicas, create=True))


@app.command()
def verify(replicas: Replicas = None, as_json: AsJson = False) -> Answer:
    """Check the topics and create nothing. Exit code 1: one is missing, or a control topic could lose records."""
    return asyncio.run(_run(kafka_settings(), replicas, create=False))


async def _run(kafka: KafkaSettings, replicas: int | None, *, create: bool) -> Answer:
    admin = AIOKafkaAdminClient(**kafka.client_options(), request_timeout_ms=10_000)
    try:
        await admin.start()
        copies = replicas or min(len((await admin.describe_cluster())["brokers"]), _MAX_REPLICAS)
        specs = kafka.topics.specs(copies)
        existing = set(await admin.list_topics())
        missing = [spec for spec in specs if spec.name not in existing]
        if create and missing:
            await _create(admin, missing, copies)
        findings = await _check(admin, [spec for spec in specs if create or spec.name in existing], kafka)
    except KafkaError as error:
        raise await kafka_error(kafka, error) from None
    finally:
        await admin.close()
    names = [spec.name for spec in missing]
    return _answer([spec.name for spec in specs], names if create else [], [] if create else names, findings)


async def _create(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec], copies: int) -> None:
    answer = await admin.create_topics(
        [NewTopic(spec.name, spec.partitions, copies, topic_configs=dict(spec.config)) for spec in specs]
    )
    for name, code, message in answer.topic_errors:
        if (
            code and for_code(code) is not TopicAlreadyExistsError
        ):  # then another `ensure` was a moment faster
            raise Refused(f"Kafka does not create {name}: {message or for_code(code).__name__}")


async def _check(
    admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec], kafka: KafkaSettings
) -> list[Finding]:
    if not specs:
        return []
    names = [spec.name for spec in specs]
    described = await _described(admin, names)
    configs: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    ):
        for _, _, _, name, entries in answer.resources:
            configs[name] = {entry[0]: entry[1] for entry in entries}
    found = (
        (spec, problems(spec, len(described[spec.name]["partitions"]), configs[spec.name])) for spec in specs
    )
    return [
        Finding(spec.name, spec.control, tuple(wrong), _mend(spec, kafka)) for spec, wrong in found if wrong
    ]


async def _described(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, Any]:
    """The topics as the broker that answers knows them; one just created may take it a moment."""
    deadline = time.monotonic() + _SETTLE_S
    while True:
        found = {topic["topic"]: topic for topic in await admin.describe_topics(list(names))}
        settled = all(topic["partitions"] and not topic["error_code"] for topic in found.values())
        if settled or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.1)


def _mend(spec: TopicSpec, kafka: KafkaSettings) -> str:
    # A value with a comma goes in brackets, as kafka-configs.sh wants it.
    config = ",".join(
        f"{name}=[{value}]" if "," in value else f"{name}={value}" for name, value in spec.config.items()
    )
    topic = ["--alter", "--topic", spec.name, "--add-config", config]
    return shlex.join(["kafka-configs.sh", "--bootstrap-server", kafka.kafka, *topic])


def _answer(names: list[str], created: list[str], missing: list[str], findings: list[Finding]) -> Answer:
    fatal = bool(missing) or any(finding.control for finding in findings)
    said = [f"{len(names)} topics: {'not as they must be' if fatal else 'as they must be'}"]
    said += [f"  created  {name}" for name in created]
    said += [f"  missing  {name}; create it: revocast topics ensure" for name in missing]
    if len(missing) == len(names):
        said.append("           if they are there, this principal may not see them: revocast topics acl")
    for finding in findings:
        said += [
            f"  {'error' if finding.control else 'warning'}    {problem}" for problem in finding.problems
        ]
        said.append(f"           mend: {finding.mend}")
    data = {
        "ok": not fatal,
        "topics": names,
        "created": created,
        "missing": missing,
        "findings": [asdict(finding) for finding in findings],
    }
    return Answer(data, lines(*said, style="bold red" if fatal else "bold green"), FOUND if fatal else 0)
