"""Not one lucky run: the same revoke again and again, beside a bare produce and consume on the same broker."""

from functools import partial

from revocast.dev.demo.bare_kafka import round_trips
from revocast.dev.demo.report import percentiles
from revocast.dev.demo.stage import Stage, claims_of

TITLE = "The same revoke many times over"


def play(stage: Stage) -> None:
    """`--samples` revocations, each timed in every service."""
    called: list[float] = []
    acknowledged: list[float] = []
    with stage.report.waiting(f"{stage.samples} tokens, each revoked while all services are asked about it"):
        for _ in range(stage.samples):
            token = stage.sign_in("grace")
            jti = claims_of(token)["jti"]
            measured = stage.measure(token, partial(stage.revoke, "token", jti, "block"))
            called += measured.called.values()
            acknowledged += measured.acknowledged.values()
    bare = round_trips(stage.deployment.kafka, f"{stage.deployment.prefix}.bare", stage.samples)
    expected = stage.samples * len(stage.deployment.ports)
    stage.report.expect(len(called) == expected, f"{len(called)} refusals of {expected}")
    stage.report.fact(f"acknowledged → refused:        {percentiles(acknowledged)}")
    stage.report.fact(f"revoke called → refused:       {percentiles(called)}")
    stage.report.fact(f"bare Kafka, sent → consumed:   {percentiles([sent for sent, _ in bare])}")
    stage.report.current.proof = percentiles(acknowledged)
