"""The Kafka topics and their settings, as `revocast topics ensure` makes them."""

from revocast.schemas.topics import Topics

__all__ = ["topics_table"]

_PAGE = """# Topics

Written from the code by `make docs`. With three or more brokers each has three replicas, with fewer as many as there
are; the table shows three. The prefix (`REVOCAST_PREFIX`) is `revocast` unless you say otherwise.

**Control** topics decide what is accepted: `revocast topics verify` calls one that could lose records an error.

| topic | partitions | control | settings |
| --- | --- | --- | --- |
{rows}
"""


def topics_table() -> str:
    """`docs/reference/topics.md`."""
    rows = (
        f"| `{spec.name}` | {spec.partitions} | {'yes' if spec.control else ''} | "
        f"{'<br>'.join(f'`{name}={value}`' for name, value in spec.config.items())} |"
        for spec in Topics().specs(replicas=3)
    )
    return _PAGE.format(rows="\n".join(rows))
