"""What this principal may do with the topics, as the broker says: read them, and write none that decides."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Final

from revocast.cli.acl_admin import client_config
from revocast.cli.doctor.finding import Finding, fail, ok, warn
from revocast.schemas.settings import KafkaSettings

__all__ = ["examine_rights"]

_CHECK: Final = "rights"
_TIMEOUT_S: Final = 10.0
_GIVE: Final = "`revocast topics acl --service User:…` gives a service the least that it needs."
_CHANGING: Final = frozenset({"WRITE", "DELETE", "ALTER", "ALTER_CONFIGS"})


async def examine_rights(settings: KafkaSettings) -> AsyncIterator[Finding]:
    """Needs the extra `acl`: aiokafka cannot ask for it."""
    topics = settings.topics
    names = [topics.revocations, topics.keys, topics.checkpoints, topics.snapshots]
    try:
        allowed = await asyncio.to_thread(_allowed, settings, names)
    except ModuleNotFoundError:
        yield ok(_CHECK, 'not looked at: that needs one more package (pip install "revocast[acl]")')
        return
    missing = [name for name in names if "READ" not in allowed.get(name, ())]
    if missing:
        yield fail(_CHECK, f"this principal may not read {', '.join(missing)}", _GIVE)
    too_much = {name: sorted(_CHANGING & allowed.get(name, frozenset())) for name in names}
    if all(too_much.values()):
        yield warn(
            _CHECK,
            "this principal may write and delete the topics that decide: the broker has no authorizer, or grants too much. No forged "
            "record is believed, but real ones can be removed",
            f"See the hardened profile in docs/transport.md. {_GIVE}",
        )
    else:
        for name, operations in too_much.items():
            if operations:
                yield warn(_CHECK, f"this principal may {', '.join(operations)} {name}", _GIVE)
    if not missing and not any(too_much.values()):
        yield ok(_CHECK, "this principal may read what decides, and change none of it")


def _allowed(settings: KafkaSettings, names: list[str]) -> Mapping[str, frozenset[str]]:
    """By topic the operations that this principal may do; a topic that it may not even see is not there. Blocks."""
    from confluent_kafka import KafkaException, TopicCollection
    from confluent_kafka.admin import AdminClient

    client = AdminClient(client_config(settings))
    futures = client.describe_topics(
        TopicCollection(names), include_authorized_operations=True, request_timeout=_TIMEOUT_S
    )
    found: dict[str, frozenset[str]] = {}
    for name, future in futures.items():
        try:
            described = future.result(_TIMEOUT_S)
        except KafkaException:
            continue
        found[name] = frozenset(operation.name for operation in described.authorized_operations or ())
    return found
