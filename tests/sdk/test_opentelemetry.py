"""A guard's metrics, as an application with OpenTelemetry's SDK collects them."""

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Sum

from revocast.schemas.jose import PrivateKey
from revocast.sdk import Guard, TokenRevoked, UnknownKey
from revocast.sdk.integrations.figures import FIGURES, Kind
from revocast.sdk.integrations.opentelemetry import instrument, name_of
from revocast.testing import Authority, InMemoryGuard
from tests.sdk.jwks.idp import ISSUER, mint
from tests.sdk.test_prometheus import scrape

Point = tuple[str, tuple[tuple[str, object], ...]]


def collected(guard: Guard, **attributes: str) -> tuple[dict[Point, float], dict[str, str]]:
    """Values by name and attributes, and each instrument's unit."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    instrument(guard, provider.get_meter("test"), attributes)
    data = reader.get_metrics_data()
    values: dict[Point, float] = {}
    units: dict[str, str] = {}
    for metric in data.resource_metrics[0].scope_metrics[0].metrics if data else ():
        units[metric.name] = metric.unit or ""
        for point in metric.data.data_points:
            key = (metric.name, tuple(sorted((point.attributes or {}).items())))
            assert not hasattr(point, "bucket_counts")
            values[key] = getattr(point, "value")  # noqa: B009
        counts = {name_of(figure) for figure in FIGURES if figure.kind is Kind.COUNT}
        assert (isinstance(metric.data, Sum) and metric.data.is_monotonic) == (metric.name in counts)
    provider.shutdown()
    return values, units


def test_what_the_guard_knows_of_itself_is_collected(
    revocast_authority: Authority, revocast_guard: InMemoryGuard
) -> None:
    token = revocast_authority.mint()
    revocast_authority.revoke(token)
    revocast_authority.log.forge(-1)
    with pytest.raises(TokenRevoked):
        revocast_guard.verify(token)
    found, units = collected(revocast_guard)
    assert found["revocast.guard.state", (("revocast.state", "ready"),)] == 1
    assert found["revocast.guard.state", (("revocast.state", "stale"),)] == 0
    assert found["revocast.guard.refusals", (("error.type", "token_revoked"),)] == 1
    record = (("revocast.outcome", "rejected"), ("revocast.topic", "log"))
    assert found["revocast.guard.records", record] == 1
    assert found["revocast.guard.rows", ()] == 1
    assert units["revocast.guard.link_age"] == "s"
    assert units["revocast.guard.table"] == "By"


def test_both_ways_show_the_same_values(revocast_authority: Authority, revocast_guard: InMemoryGuard) -> None:
    revocast_authority.block(revocast_authority.subject("mallory"))
    revocast_guard.verify(revocast_authority.mint())
    found, _ = collected(revocast_guard)
    assert sorted(found.values()) == sorted(scrape(revocast_guard).values())


def test_other_issuers_keys_are_measured(revocast_authority: Authority) -> None:
    guard, key = (
        InMemoryGuard(revocast_authority, jwks={ISSUER: "https://idp.test/jwks"}),
        PrivateKey.generate(),
    )
    guard.publish_jwks(ISSUER, key)
    with pytest.raises(UnknownKey):
        guard.verify(mint(revocast_authority, PrivateKey.generate()))
    found, _ = collected(guard)
    issuer = (("revocast.issuer", ISSUER),)
    assert found["revocast.guard.issuer_keys", issuer] == 1
    assert found["revocast.guard.issuer_keys_usable", issuer] == 3900
    assert found["revocast.guard.unknown_kids", (("revocast.outcome", "refreshing"),)] == 1
    assert found["revocast.guard.jwks_requests", (("revocast.outcome", "fetched"),)] == 1


def test_several_guards_are_told_apart_by_attributes(revocast_guard: InMemoryGuard) -> None:
    found, _ = collected(revocast_guard, service="orders")
    assert found["revocast.guard.rows", (("service", "orders"),)] == 0


def test_a_guard_that_was_not_started_has_a_state_and_nothing_else() -> None:
    found, _ = collected(Guard("https://issuer.test", "orders", "kafka:9092"))
    assert {name for name, _ in found} == {"revocast.guard.state"}
