"""A guard's metrics for OpenTelemetry. Needs the extra `otel`: its API only, the application brings the SDK.

    instrument(guard)

Every instrument is observable: it is read when the application's reader collects, and a request pays nothing. They stay for as long as
the meter does, as OpenTelemetry has no way to take an instrument back, so do it once for each guard.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from opentelemetry.metrics import CallbackOptions, Meter, Observation, get_meter

from revocast.sdk.guard import Guard
from revocast.sdk.integrations.figures import FIGURES, Figure, Kind, measure

__all__ = ["attribute_of", "instrument", "name_of"]

_ATTRIBUTES: Final = {"code": "error.type"}
"""Labels for which the semantic conventions have a name; the others are ours."""
_NOTHING: Final[Mapping[str, str]] = {}

Callback = Callable[[CallbackOptions], Iterable[Observation]]


def instrument(guard: Guard, meter: Meter | None = None, attributes: Mapping[str, str] = _NOTHING) -> None:
    """Create the instruments `revocast.guard.…`; docs/reference/metrics.md lists them. `attributes` tell several guards apart."""
    meter = meter or get_meter("revocast.sdk")
    create: Mapping[Kind, Callable[..., Any]] = {
        Kind.AMOUNT: meter.create_observable_up_down_counter,
        Kind.LEVEL: meter.create_observable_gauge,
        Kind.COUNT: meter.create_observable_counter,
    }
    for figure in FIGURES:
        create[figure.kind](
            name_of(figure),
            callbacks=[_observer(guard, figure, attributes)],
            unit=figure.unit,
            description=figure.text,
        )


def name_of(figure: Figure) -> str:
    """As OpenTelemetry names it: the unit is beside the name, not in it."""
    return f"revocast.guard.{figure.name}"


def attribute_of(label: str) -> str:
    """The attribute that a label is there."""
    return _ATTRIBUTES.get(label, f"revocast.{label}")


def _observer(guard: Guard, figure: Figure, attributes: Mapping[str, str]) -> Callback:
    names = [attribute_of(label) for label in figure.labels]

    def observe(_: CallbackOptions) -> list[Observation]:
        return [
            Observation(value, {**attributes, **dict(zip(names, labels, strict=True))})
            for value, labels in measure(guard).get(figure, ())
        ]

    return observe
