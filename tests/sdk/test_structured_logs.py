"""What the SDK logs, for programs."""

import json
import logging

import pytest

from revocast.sdk import JsonFormatter
from revocast.testing import Authority, InMemoryGuard


def test_a_change_of_state_carries_its_facts(
    revocast_authority: Authority, revocast_guard: InMemoryGuard, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "revocast.sdk")
    revocast_authority.now += 100
    revocast_guard.delivery.core.handle_timer(revocast_guard.delivery.now)
    line = json.loads(JsonFormatter().format(caplog.records[-1]))
    assert (line["event"], line["state"], line["before"]) == ("transition", "stale", "ready")
    assert "Kafka" in line["reason"]
    assert line["message"].startswith("guard is stale")


def test_what_shadow_mode_would_have_refused_is_told_by_code(
    revocast_authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    guard = InMemoryGuard(revocast_authority, mode="shadow")
    caplog.set_level(logging.INFO, "revocast.sdk")
    token = revocast_authority.mint()
    revocast_authority.revoke(token)
    guard.verify(token)
    text = JsonFormatter().format(caplog.records[-1])
    assert json.loads(text)["code"] == "token_revoked"
    assert token not in text
