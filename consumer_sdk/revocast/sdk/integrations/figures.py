"""A guard's figures, in base units: what Prometheus and OpenTelemetry both show, each under its own naming rules. No I/O.

They are read when somebody collects them, from `guard.health()`: a request pays nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Literal, NamedTuple, Protocol

from revocast.sdk.errors import GuardNotReady
from revocast.sdk.freshness import State
from revocast.sdk.health import Health

__all__ = ["FIGURES", "Figure", "Kind", "Measured", "Point", "measure"]

Unit = Literal["s", "By", "1", "{key}", "{record}", "{request}", "{row}", "{token}", "{transition}"]


class Kind(Enum):
    """`AMOUNT` can be added up over guards, `LEVEL` cannot, `COUNT` is an amount that only grows."""

    AMOUNT = auto()
    LEVEL = auto()
    COUNT = auto()


@dataclass(frozen=True, slots=True)
class Figure:
    """`name` without unit; `labels` tell its points apart."""

    name: str
    kind: Kind
    unit: Unit
    text: str
    labels: tuple[str, ...] = ()


class Point(NamedTuple):
    """A value, and those of the figure's labels in their order."""

    value: float
    labels: tuple[str, ...] = ()


class Measured(Protocol):
    """What of a guard is looked at."""

    @property
    def state(self) -> State: ...
    def health(self) -> Health: ...


_AMOUNT, _LEVEL, _COUNT = Kind.AMOUNT, Kind.LEVEL, Kind.COUNT
_STATE: Final = Figure("state", _AMOUNT, "1", "1 for the state that the guard is in", ("state",))
_COUNTERS: Final[Mapping[str, Figure]] = {
    "transition": Figure("transitions", _COUNT, "{transition}", "Changes of state", ("from", "to")),
    "introspection": Figure(
        "introspections", _COUNT, "{request}", "Questions to the issuer about tokens", ("outcome",)
    ),
    "refused": Figure("refusals", _COUNT, "{token}", "Tokens and requests refused", ("code",)),
    "jwks": Figure(
        "jwks_requests", _COUNT, "{request}", "Requests for key sets of other issuers", ("outcome",)
    ),
    "unknown_kid": Figure(
        "unknown_kids",
        _COUNT,
        "{token}",
        "Tokens of other issuers under keys that are not there",
        ("outcome",),
    ),
}
"""By the first word of the counter's name in `Health.counters`; everything else counts records by topic and outcome."""
_RECORDS: Final = Figure(
    "records", _COUNT, "{record}", "Records of the topics by what became of them", ("topic", "outcome")
)
_PLAIN: Final = {
    "link_age": Figure(
        "link_age", _LEVEL, "s", "Since everything up to an end that Kafka named had been read"
    ),
    "authority_age": Figure("authority_age", _LEVEL, "s", "Since the newest checkpoint of the issuer"),
    "clock_skew": Figure("clock_skew", _LEVEL, "s", "By how much this clock is ahead of the issuer's"),
    "epoch": Figure("log_epoch", _LEVEL, "1", "Epoch of the last record applied"),
    "n": Figure("log_n", _LEVEL, "1", "Number of the last record applied"),
    "t": Figure("log_timestamp", _LEVEL, "s", "Time of the last record applied"),
    "lag": Figure(
        "records_behind", _LEVEL, "{record}", "Records that the newest checkpoint has and this guard has not"
    ),
    "expires_at": Figure("delegations_expiry_timestamp", _LEVEL, "s", "When the delegation list expires"),
    "rows": Figure("rows", _AMOUNT, "{row}", "Rows of the deny-list in memory"),
    "keys": Figure("keys", _AMOUNT, "{key}", "Token keys known"),
    "remembered": Figure("remembered_tokens", _AMOUNT, "{token}", "Verified tokens that are remembered"),
}
"""By the field of `Health`."""
_PART_ROWS: Final = Figure("table_rows", _AMOUNT, "{row}", "Rows of the deny-list by part", ("part",))
_PART_BYTES: Final = Figure(
    "table",
    _AMOUNT,
    "By",
    "Memory of the deny-list by part; processes of a host can share the base",
    ("part",),
)
_ORIGIN: Final = Figure("start_origin", _AMOUNT, "1", "1 for where the start began", ("origin",))
_FOREIGN: Final = {
    "keys": Figure("issuer_keys", _AMOUNT, "{key}", "Keys of another issuer in use", ("issuer",)),
    "age": Figure(
        "issuer_keys_age", _LEVEL, "s", "Since another issuer's key set was confirmed", ("issuer",)
    ),
    "usable_for": Figure(
        "issuer_keys_usable", _LEVEL, "s", "For how long another issuer's keys may be used", ("issuer",)
    ),
    "failures": Figure(
        "issuer_keys_failures", _LEVEL, "{request}", "Requests in a row that brought no key set", ("issuer",)
    ),
}
"""By the field of `SourceHealth`."""
FIGURES: Final[tuple[Figure, ...]] = (
    _STATE,
    *_PLAIN.values(),
    _PART_ROWS,
    _PART_BYTES,
    _ORIGIN,
    *_FOREIGN.values(),
    *_COUNTERS.values(),
    _RECORDS,
)
"""All there are."""


def measure(guard: Measured) -> Mapping[Figure, list[Point]]:
    """The points of every figure that has one now."""
    found: dict[Figure, list[Point]] = {
        _STATE: [Point(float(state is guard.state), (state,)) for state in State]
    }
    try:
        health = guard.health()
    except GuardNotReady:
        return found
    for figure, point in (*_levels(health), *_parts(health), *_foreign(health), *_counted(health.counters)):
        found.setdefault(figure, []).append(point)
    return found


def _levels(health: Health) -> Iterator[tuple[Figure, Point]]:
    for name, figure in _PLAIN.items():
        value = getattr(health, name)
        if value is not None and not (name == "t" and not value):
            yield figure, Point(float(value))


def _parts(health: Health) -> Iterator[tuple[Figure, Point]]:
    size = health.size
    for part, rows, taken in (
        ("base", size.base_rows, size.base_bytes),
        ("overlay", size.overlay_rows, size.overlay_bytes),
    ):
        yield _PART_ROWS, Point(float(rows), (part,))
        yield _PART_BYTES, Point(float(taken), (part,))
    if health.origin:
        yield _ORIGIN, Point(1.0, (health.origin,))


def _foreign(health: Health) -> Iterator[tuple[Figure, Point]]:
    for issuer, source in health.foreign.items():
        for name, figure in _FOREIGN.items():
            value = getattr(source, name)
            if value is not None:
                yield figure, Point(float(value), (issuer,))


def _counted(counters: Mapping[str, int]) -> Iterator[tuple[Figure, Point]]:
    for counter, count in counters.items():
        first, *rest = counter.split(".")
        figure = _COUNTERS.get(first)
        labels = tuple(rest) if figure else (first, *rest)
        yield figure or _RECORDS, Point(float(count), labels)
