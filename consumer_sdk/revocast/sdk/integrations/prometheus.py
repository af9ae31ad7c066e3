"""A guard's metrics for Prometheus. Needs the extra `prometheus`.

    prometheus_client.REGISTRY.register(GuardCollector(guard))

They are read from `guard.health()` when they are scraped: a request pays nothing for them. One registry takes one guard.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from revocast.sdk.errors import GuardNotReady
from revocast.sdk.freshness import State
from revocast.sdk.guard import Guard
from revocast.sdk.health import Health

__all__ = ["GuardCollector"]

_COUNTERS: Final[Mapping[str, tuple[str, str, tuple[str, ...]]]] = {
    "transition": ("transitions", "Changes of state", ("from", "to")),
    "introspection": ("introspections", "Questions to the issuer about tokens", ("outcome",)),
    "refused": ("refusals", "Tokens and requests refused", ("code",)),
}
"""By the first word of the counter's name in `Health.counters`; everything else counts records by topic and outcome."""
_RECORDS: Final = ("records", "Records of the topics by what became of them", ("topic", "outcome"))


class GuardCollector(Collector):
    """`revocast_guard_…`, in base units. docs/embedding.md lists the names."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def collect(self) -> Iterator[Metric]:
        """Read the guard."""
        states = GaugeMetricFamily(
            "revocast_guard_state", "1 for the state that the guard is in", labels=["state"]
        )
        for state in State:
            states.add_metric([state], float(state is self._guard.state))
        yield states
        try:
            health = self._guard.health()
        except GuardNotReady:
            return
        yield from _gauges(health)
        yield from _counters(health.counters)


def _gauges(health: Health) -> Iterator[Metric]:
    values: tuple[tuple[str, str, float | None], ...] = (
        ("link_age_seconds", "Since everything up to an end that Kafka named had been read", health.link_age),
        ("authority_age_seconds", "Since the newest checkpoint of the issuer", health.authority_age),
        ("rows", "Rows of the deny-list in memory", health.rows),
        ("keys", "Token keys known", health.keys),
        ("log_epoch", "Epoch of the last record applied", health.epoch),
        ("log_n", "Number of the last record applied", health.n),
        ("log_timestamp_seconds", "Time of the last record applied", health.t or None),
        ("delegations_expiry_timestamp_seconds", "When the delegation list expires", health.expires_at),
    )
    for name, text, value in values:
        if value is not None:
            yield GaugeMetricFamily(f"revocast_guard_{name}", text, value)


def _counters(counters: Mapping[str, int]) -> Iterator[Metric]:
    families: dict[str, CounterMetricFamily] = {}
    for counter, count in counters.items():
        first, *rest = counter.split(".")
        name, text, labels = _COUNTERS.get(first, _RECORDS)
        values = rest if first in _COUNTERS else [first, *rest]
        if name not in families:
            families[name] = CounterMetricFamily(f"revocast_guard_{name}", text, labels=labels)
        families[name].add_metric(values, count)
    yield from families.values()
