"""The Kafka topics, and what each must be configured as so that it loses nothing.

A control topic that deletes or compacts what it must keep is not a warning but an error: a lost record is a lost
revocation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

__all__ = ["FRAME_PARTITIONS", "TopicSpec", "Topics", "problems"]

FRAME_PARTITIONS: Final = 12
"""Partitions of the table's internal topics; a bucket's partition is `bucket * 12 >> 16`."""

_DAY_MS: Final = 86_400_000
_FOREVER: Final = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}


@dataclass(frozen=True)
class TopicSpec:
    """One topic. `config` holds Kafka topic settings; `control` topics decide what is accepted."""

    name: str
    partitions: int
    config: Mapping[str, str]
    control: bool = False


@dataclass(frozen=True)
class Topics:
    """The topics of one deployment, all under one prefix."""

    prefix: str = "revocast"
    revocations: str = field(init=False)
    keys: str = field(init=False)
    checkpoints: str = field(init=False)
    snapshots: str = field(init=False)
    fleet: str = field(init=False)
    audit: str = field(init=False)
    dead_letters: str = field(init=False)

    def __post_init__(self) -> None:
        for topic in ("revocations", "keys", "checkpoints", "snapshots", "fleet", "audit"):
            object.__setattr__(self, topic, f"{self.prefix}.{topic}")
        object.__setattr__(self, "dead_letters", f"{self.prefix}.dead-letters")

    def specs(self, replicas: int) -> tuple[TopicSpec, ...]:
        """What to create on a cluster with this replication factor (1 to 3)."""
        durable = {
            # The broker unpacks what it takes: else a few kB that unpack to GBs reach every reader's memory at once.
            "compression.type": "uncompressed",
            "min.insync.replicas": "2" if replicas >= 3 else "1",
            "unclean.leader.election.enable": "false",
        }
        compacted = {"cleanup.policy": "compact", **durable}
        # One checkpoint every two seconds under one key: only closed segments are compacted, so they close soon.
        rolled = {"segment.ms": "600000", "min.cleanable.dirty.ratio": "0.1"}
        return (
            TopicSpec(self.revocations, 1, {**_FOREVER, **durable}, control=True),
            TopicSpec(self.keys, 1, {**_FOREVER, **durable}, control=True),
            TopicSpec(self.checkpoints, 1, {**compacted, **rolled}, control=True),
            TopicSpec(
                self.snapshots, 1, {**compacted, **rolled, "max.message.bytes": "1048588"}, control=True
            ),
            TopicSpec(
                self.fleet,
                3,
                {"cleanup.policy": "compact,delete", "retention.ms": str(7 * _DAY_MS), **durable},
            ),
            TopicSpec(
                self.audit, 3, {"cleanup.policy": "delete", "retention.ms": str(90 * _DAY_MS), **durable}
            ),
            TopicSpec(
                self.dead_letters,
                1,
                {"cleanup.policy": "delete", "retention.ms": str(30 * _DAY_MS), **durable},
            ),
        )


def problems(spec: TopicSpec, partitions: int, config: Mapping[str, str]) -> list[str]:
    """What is wrong with an existing topic, a sentence each; empty: it is as it must be.

    `config` is the topic's effective configuration as the broker describes it.
    """
    found: list[str] = []
    if partitions != spec.partitions:
        found.append(f"{spec.name}: has {partitions} partitions and must have {spec.partitions}")
    for name, wanted in spec.config.items():
        actual = config.get(name)
        if actual is None or _fits(name, actual, wanted):
            continue
        found.append(f"{spec.name}: {name} is {actual} and must be {wanted}")
    return found


def _fits(name: str, actual: str, wanted: str) -> bool:
    if name == "cleanup.policy":
        return set(actual.split(",")) == set(wanted.split(","))
    if name in ("min.insync.replicas", "max.message.bytes"):
        return int(actual) >= int(wanted)
    if name == "retention.ms" and wanted != "-1":
        return actual == "-1" or int(actual) >= int(wanted)
    return actual == wanted
