"""The Kafka topics as `revocast topics ensure` makes them, and who may do what with them by `revocast topics acl`."""

from collections.abc import Iterator

from revocast.cli.acl import ROLES, Grant, grants
from revocast.schemas.topics import Topics

__all__ = ["topics_table"]

_PAGE = """# Topics

Written from the code by `make docs`. With three or more brokers each has three replicas, with fewer as many as there
are; the table shows three. The prefix (`REVOCAST_PREFIX`) is `revocast` unless you say otherwise.

**Control** topics decide what is accepted: `revocast topics verify` calls one that could lose records an error.

| topic | partitions | control | settings |
| --- | --- | --- | --- |
{rows}

## Who may do what

The least that each role can work with, as `revocast topics acl` grants it to the role's principals: see [transport](../transport.md).
A name that ends in `…` stands for all that begin so; `revocast-streams` is `REVOCAST_STREAMS_APP_ID`.

| | {roles} |
| --- |{rule}
{granted}
"""
_APP_ID = "revocast-streams"


def topics_table() -> str:
    """`docs/reference/topics.md`."""
    rows = (
        f"| `{spec.name}` | {spec.partitions} | {'yes' if spec.control else ''} | "
        f"{'<br>'.join(f'`{name}={value}`' for name, value in spec.config.items())} |"
        for spec in Topics().specs(replicas=3)
    )
    return _PAGE.format(
        rows="\n".join(rows),
        roles=" | ".join(ROLES),
        rule=" --- |" * len(ROLES),
        granted="\n".join(_granted()),
    )


def _granted() -> Iterator[str]:
    every = grants(Topics(), _APP_ID, {role: [role] for role in ROLES})
    for place in sorted(
        {_place(grant) for grant in every}, key=lambda place: (not place.startswith("topic"), place)
    ):
        cells = (
            ", ".join(
                sorted(
                    grant.operation.lower().replace("_", " ")
                    for grant in every
                    if grant.principal == role and _place(grant) == place
                )
            )
            for role in ROLES
        )
        yield f"| {place} | {' | '.join(cells)} |"


def _place(grant: Grant) -> str:
    return f"{grant.resource} `{grant.name}{'…' if grant.prefixed else ''}`"
