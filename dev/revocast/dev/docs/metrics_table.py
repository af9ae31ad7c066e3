"""A guard's metrics as Prometheus and as OpenTelemetry name them."""

from collections.abc import Iterator
from typing import Final

from revocast.sdk.integrations import opentelemetry, prometheus
from revocast.sdk.integrations.figures import FIGURES, Figure, Kind

__all__ = ["metrics_table"]

_PAGE: Final = """# Metrics

Written from the code by `make docs`. What a guard says of itself, to Prometheus (`revocast[prometheus]`) and to OpenTelemetry (`revocast[otel]`); how to
expose them is in [embedding](../embedding.md#being-told). Everything is in base units: seconds, bytes, counts. Prometheus' labels are OpenTelemetry's
attributes; OpenTelemetry has the unit beside the name.

| Prometheus | OpenTelemetry, unit | kind | what |
| --- | --- | --- | --- |
{rows}

`issuer` is one of `REVOCAST_JWKS`, `outcome` of `records` what became of a record (`applied`, `replay`, `rejected`, `fork`, …), `code` the error's (embedding
lists them), `part` is `base` or `overlay`, `origin` is `local copy`, `snapshot` or `log`.
"""
_KINDS: Final = {
    Kind.AMOUNT: "gauge; UpDownCounter",
    Kind.LEVEL: "gauge",
    Kind.COUNT: "counter",
}


def metrics_table() -> str:
    """`docs/reference/metrics.md`."""
    return _PAGE.format(rows="\n".join(_rows()))


def _rows() -> Iterator[str]:
    for figure in FIGURES:
        total = "_total" if figure.kind is Kind.COUNT else ""
        yield (
            f"| `{prometheus.name_of(figure)}{total}{_listed(figure.labels)}` "
            f"| `{opentelemetry.name_of(figure)}{_listed(_attributes(figure))}`, `{figure.unit}` "
            f"| {_KINDS[figure.kind]} | {figure.text} |"
        )


def _attributes(figure: Figure) -> tuple[str, ...]:
    return tuple(opentelemetry.attribute_of(label) for label in figure.labels)


def _listed(labels: tuple[str, ...]) -> str:
    return f"{{{','.join(labels)}}}" if labels else ""
