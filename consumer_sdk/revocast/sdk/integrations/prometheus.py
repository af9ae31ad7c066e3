"""A guard's metrics for Prometheus. Needs the extra `prometheus`.

    prometheus_client.REGISTRY.register(GuardCollector(guard))

They are read when they are scraped: a request pays nothing for them. One registry takes one guard.
"""

from collections.abc import Iterator
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from revocast.sdk.guard import Guard
from revocast.sdk.integrations.figures import Figure, Kind, measure

__all__ = ["GuardCollector", "name_of"]

_SUFFIXES: Final = {"s": "_seconds", "By": "_bytes"}


class GuardCollector(Collector):
    """`revocast_guard_…`, in base units. docs/reference/metrics.md lists the names."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def collect(self) -> Iterator[Metric]:
        """Read the guard."""
        for figure, points in measure(self._guard).items():
            kind = CounterMetricFamily if figure.kind is Kind.COUNT else GaugeMetricFamily
            family = kind(name_of(figure), figure.text, labels=figure.labels)
            for value, labels in points:
                family.add_metric(labels, value)
            yield family


def name_of(figure: Figure) -> str:
    """As Prometheus names it; a counter gets `_total` besides."""
    return f"revocast_guard_{figure.name}{_SUFFIXES.get(figure.unit, '')}"
