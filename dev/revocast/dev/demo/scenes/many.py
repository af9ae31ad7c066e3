"""Not one lucky run: the same revoke again and again, beside a bare produce and consume on the same broker."""

from revocast.dev.demo.bare_kafka import round_trips
from revocast.dev.demo.report import percentiles
from revocast.dev.demo.stage import Stage, claims_of

TITLE = "The same revoke many times over"


def play(stage: Stage) -> None:
    """`--samples` revocations, each timed in every service."""
    found: list[float] = []
    with stage.report.waiting(f"{stage.samples} tokens, each revoked while all services are asked about it"):
        for _ in range(stage.samples):
            token = stage.sign_in("grace")
            jti = claims_of(token)["jti"]
            found += stage.measure(token, lambda jti=jti: stage.revoke("token", jti, "block")).values()
    bare = round_trips(stage.deployment.kafka, f"{stage.deployment.prefix}.bare", stage.samples)
    expected = stage.samples * len(stage.deployment.ports)
    stage.report.expect(
        len(found) == expected, f"acknowledged → refused, {len(found)} times: {percentiles(found)}"
    )
    stage.report.fact(f"bare Kafka here, acknowledged → consumed:  {percentiles(bare)}")
    stage.report.current.proof = percentiles(found)
