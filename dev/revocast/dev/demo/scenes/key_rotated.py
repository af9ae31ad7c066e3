"""A key is rotated while every service is under load."""

import time

from revocast.dev.demo.processes import DemoError
from revocast.dev.demo.stage import Stage
from revocast.dev.demo.traffic import Traffic

TITLE = "A signing key is rotated under load"

_AFTER_S = 2.0
_DEADLINE_S = 30.0


def play(stage: Stage) -> None:
    """announced → active, the old one → retiring; steady traffic with old and new tokens meanwhile."""
    report = stage.report
    stage.before_rotation = stage.sign_in("dave")
    with Traffic(stage.deployment.ports, lambda: stage.sign_in("dave")) as traffic:
        report.command("revocast keys rotate")
        new = stage.operator.post("/v1/keys/rotate", "revocast:keys", {})["kid"]
        with report.waiting("announced; the fleet learns it before it signs"):
            _until_active(stage, new)
        with report.waiting("it signs; traffic goes on"):
            time.sleep(_AFTER_S)
    states = sorted(stage.keys().values())
    report.expect(states == ["active", "retiring"], f"the keys are {' and '.join(states)}")
    total = sum(traffic.answers.values())
    refused = total - traffic.answers[200]
    why = "; ".join(text for text, count in traffic.why.items() if count)
    report.expect(
        refused == 0, f"{total} requests with {traffic.tokens} tokens, {refused} refused {why}".strip()
    )
    stage.expect(stage.before_rotation, 200, "a token that the old key signed still works")
    report.current.proof = f"{total} requests, {refused} refused"


def _until_active(stage: Stage, kid: str) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while stage.keys()[kid] != "active":
        if time.monotonic() > deadline:
            raise DemoError(f"key {kid} is still {stage.keys()[kid]} after {_DEADLINE_S:.0f} s")
        time.sleep(0.1)
