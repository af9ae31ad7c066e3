"""A guard's metrics, as Prometheus reads them."""

import re

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from revocast.sdk import Guard, TokenRevoked
from revocast.sdk.integrations.figures import FIGURES
from revocast.sdk.integrations.prometheus import GuardCollector, name_of
from revocast.testing import Authority, InMemoryGuard


def scrape(guard: Guard) -> dict[str, float]:
    """Values by name and labels, both as they are written in a query."""
    registry = CollectorRegistry()
    registry.register(GuardCollector(guard))
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        ",".join(
            [sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))]
        ).removeprefix("revocast_guard_"): sample.value
        for family in families
        for sample in family.samples
    }


def test_what_the_guard_knows_of_itself_is_scraped(
    revocast_authority: Authority, revocast_guard: InMemoryGuard
) -> None:
    token = revocast_authority.mint()
    revocast_authority.revoke(token)
    revocast_authority.log.forge(-1)
    with pytest.raises(TokenRevoked):
        revocast_guard.verify(token)
    revocast_authority.now += 100
    revocast_guard.delivery.core.handle_timer(revocast_guard.delivery.now)
    found = scrape(revocast_guard)
    assert {name: value for name, value in found.items() if name.startswith("state")} == {
        "state,state=starting": 0,
        "state,state=ready": 0,
        "state,state=stale": 1,
        "state,state=incomplete": 0,
        "state,state=closed": 0,
    }
    assert found["transitions_total,from=ready,to=stale"] == 1
    assert found["link_age_seconds"] == 100
    assert found["authority_age_seconds"] == 100
    assert found["log_n"] == revocast_authority.position.n
    assert found["log_epoch"] == 1
    assert found["log_timestamp_seconds"] == revocast_authority.position.t
    assert (found["rows"], found["keys"]) == (1, 1)
    assert found["records_total,outcome=applied,topic=log"] == 2
    assert found["records_total,outcome=rejected,topic=log"] == 1
    assert found["refusals_total,code=token_revoked"] == 1
    assert found["delegations_expiry_timestamp_seconds"] > revocast_authority.now
    assert found["records_behind"] == 0
    assert found["table_rows,part=base"] == 0
    assert found["table_rows,part=overlay"] == 1
    assert found["table_bytes,part=overlay"] > 20


def test_every_name_is_one_that_prometheus_likes() -> None:
    for figure in FIGURES:
        name = name_of(figure)
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
        assert not name.endswith("_total")
        assert all(re.fullmatch(r"[a-z_]+", label) for label in figure.labels)
    assert len({name_of(figure) for figure in FIGURES}) == len(FIGURES)


def test_a_guard_that_was_not_started_has_a_state_and_nothing_else() -> None:
    found = scrape(Guard("https://issuer.test", "orders", "kafka:9092"))
    assert {name.partition(",")[0] for name in found} == {"state"}
    assert found["state,state=starting"] == 1
