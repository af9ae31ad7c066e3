"""Who may do what in Kafka: the least that each role can work with, and what is missing or too much. No I/O.

* A role is a principal of its own. Nobody gets a wildcard, and nobody but the broker's admin may change grants.
* The issuer alone writes what decides. A service writes fleet reports, and that is all it can do.
* `DELETE` on the log and on the keys lets the issuer truncate them behind what took their place. Kafka has no smaller right:
  it covers deleting the topic.
* Read, Write and Delete imply Describe (KIP-11), so that is granted alone only where nothing else is.
"""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, Literal

from revocast.schemas.topics import Topics

__all__ = ["EVERYBODY", "ROLES", "Grant", "Resource", "Role", "Scope", "commands", "grants"]

Role = Literal["issuer", "streams", "service", "dashboard", "operator"]
Resource = Literal["topic", "group", "cluster"]
Verb = Literal["add", "remove"]
ROLES: Final[tuple[Role, ...]] = ("issuer", "streams", "service", "dashboard", "operator")
CLUSTER: Final = "kafka-cluster"
EVERYBODY: Final = "User:*"

_READ, _WRITE, _BOTH = ("READ",), ("WRITE",), ("READ", "WRITE")
_OPERATOR: Final = ("CREATE", "DESCRIBE_CONFIGS", "READ")
_TOPICS: Final[Mapping[Role, Mapping[str, tuple[str, ...]]]] = {
    "issuer": {
        "revocations": ("DELETE", *_BOTH),
        "keys": ("DELETE", *_BOTH),
        "checkpoints": _BOTH,
        "snapshots": _BOTH,
        "audit": _WRITE,
    },
    "streams": {
        "revocations": _READ,
        "keys": _READ,
        "checkpoints": _READ,
        "snapshots": _BOTH,
        "audit": _WRITE,
        "dead_letters": _WRITE,
    },
    "service": {
        "revocations": _READ,
        "keys": _READ,
        "checkpoints": _READ,
        "snapshots": _READ,
        "fleet": _WRITE,
    },
    "dashboard": {"fleet": _READ, "audit": _READ, "dead_letters": _READ},
    "operator": {
        "revocations": _OPERATOR,
        "keys": (*_OPERATOR, "WRITE"),
        "checkpoints": _OPERATOR,
        "snapshots": _OPERATOR,
        "fleet": _OPERATOR,
        "audit": _OPERATOR,
        "dead_letters": _OPERATOR,
    },
}
_INTERNAL: Final = ("CREATE", "READ", "WRITE")
_HARMLESS_ON_CLUSTER: Final = {"DESCRIBE", "DESCRIBE_CONFIGS", "IDEMPOTENT_WRITE"}


@dataclass(frozen=True, order=True, slots=True)
class Grant:
    """One ACL of Kafka's. `operation` is as Kafka's protocol names it; `prefixed`: `name` begins the names it is for."""

    principal: str
    resource: Resource
    name: str
    prefixed: bool
    operation: str
    host: str = "*"
    allow: bool = True

    def __str__(self) -> str:
        verb = "may" if self.allow else "is denied to"
        where = "" if self.resource == "cluster" else f" {self.name}{'…' if self.prefixed else ''}"
        return f"{self.principal} {verb} {self.operation} {self.resource}{where}"


def grants(topics: Topics, app_id: str, principals: Mapping[Role, Sequence[str]]) -> frozenset[Grant]:
    """The least that `principals` (by role) need; `app_id` is streams' `REVOCAST_STREAMS_APP_ID`."""
    found: set[Grant] = set()
    for role, names in principals.items():
        for principal in names:
            found |= {
                Grant(principal, "topic", getattr(topics, topic), False, operation)
                for topic, operations in _TOPICS[role].items()
                for operation in operations
            }
            if role == "streams":
                found |= {Grant(principal, "topic", f"{app_id}-", True, operation) for operation in _INTERNAL}
                found.add(Grant(principal, "group", app_id, False, "READ"))
            if role == "operator":  # so that `topics acl --check` belongs into monitoring
                found.add(Grant(principal, "cluster", CLUSTER, False, "DESCRIBE"))
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Scope:
    """One deployment's resources, among all that a cluster has."""

    topics: Topics
    app_id: str

    def surplus(self, existing: Iterable[Grant], wanted: frozenset[Grant]) -> list[Grant]:
        """What is granted on this deployment and should not be, and what is denied to somebody who needs it."""
        principals = {grant.principal for grant in wanted} | {EVERYBODY}
        return sorted(
            grant
            for grant in existing
            if grant not in wanted and self._touches(grant) and (grant.allow or grant.principal in principals)
        )

    def _touches(self, grant: Grant) -> bool:
        if grant.resource == "cluster":
            return grant.operation not in _HARMLESS_ON_CLUSTER
        if grant.resource == "group":
            return _covers(grant, self.app_id)
        internal = f"{self.app_id}-"
        return grant.name.startswith(internal) or any(
            _covers(grant, name) for name in (internal, *(spec.name for spec in self.topics.specs(1)))
        )


def _covers(grant: Grant, name: str) -> bool:
    return name.startswith(grant.name) if grant.prefixed else grant.name in (name, "*")


def commands(wanted: Iterable[Grant], bootstrap: str, *, login: bool, verb: Verb = "add") -> list[str]:
    """The same for Kafka's own tool; with `login` its configuration is read from `admin.properties`."""
    tool = ["kafka-acls.sh", "--bootstrap-server", bootstrap]
    tool += ["--command-config", "admin.properties"] if login else []
    tool += ["--remove", "--force"] if verb == "remove" else ["--add"]
    found = []
    for _, group in groupby(sorted(wanted, key=lambda grant: (_place(grant), grant.operation)), key=_place):
        same = list(group)
        found.append(shlex.join([*tool, *_who(same[0]), *_operations(same), *_where(same[0])]))
    return found


def _place(grant: Grant) -> Any:
    return grant.principal, grant.resource, grant.name, grant.prefixed, grant.host, grant.allow


def _who(grant: Grant) -> list[str]:
    kind = "allow" if grant.allow else "deny"
    host = [] if grant.host == "*" else [f"--{kind}-host", grant.host]
    return [f"--{kind}-principal", grant.principal, *host]


def _operations(same: Iterable[Grant]) -> list[str]:
    names = ("".join(word.capitalize() for word in grant.operation.split("_")) for grant in same)
    return [argument for name in names for argument in ("--operation", name)]


def _where(grant: Grant) -> list[str]:
    if grant.resource == "cluster":
        return ["--cluster"]
    pattern = ["--resource-pattern-type", "prefixed"] if grant.prefixed else []
    return [f"--{grant.resource}", grant.name, *pattern]
