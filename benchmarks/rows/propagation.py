"""Acknowledged revoke → refused, in services that are processes of their own, beside bare Kafka on the same broker."""

import tempfile
from contextlib import closing
from functools import partial
from pathlib import Path

from benchmarks.benchmark import Benchmark, Run
from revocast.cli.operator import Operator
from revocast.cli.settings import operator_settings
from revocast.dev.broker import running_broker
from revocast.dev.demo.bare_kafka import round_trips
from revocast.dev.demo.deployment import SERVICES, Deployment
from revocast.dev.demo.processes import Processes
from revocast.dev.demo.report import Report
from revocast.dev.demo.stage import Stage, claims_of

__all__ = ["BENCHMARK"]

_GROUP = f"{len(SERVICES)} services, one broker"
_BARE, _ACKNOWLEDGED, _CALLED = (
    "bare Kafka, sent → consumed",
    "acknowledged → refused",
    "revoke called → refused",
)


def measure(run: Run) -> None:
    """Start everything, revoke one token after the other, and compare."""
    samples = run.pick(5, 100, 1000)
    folder = Path(tempfile.mkdtemp(prefix="revocast-bench-"))
    with running_broker(own=True, progress=run.say) as broker, closing(Processes(folder)) as processes:
        deployment = Deployment(broker, processes, folder, "bench")
        deployment.init()
        deployment.run("topics", "ensure")
        deployment.start_issuer()
        deployment.start_readers()
        with Operator(operator_settings(deployment.environ)) as operator:
            stage = Stage(deployment, operator, Report(SERVICES), samples)
            stage.register()
            called, acknowledged = _revoke(stage, samples)
        bare = [sent for sent, _ in round_trips(broker.bootstrap, "bench.bare", samples)]
    group = run.group(_GROUP, "ms", baselines=(_BARE,), tail=True)
    group.peer(_BARE, [each * 1000 for each in bare])
    group.ours(_ACKNOWLEDGED, [each * 1000 for each in acknowledged])
    group.ours(_CALLED, [each * 1000 for each in called])


def _revoke(stage: Stage, samples: int) -> tuple[list[float], list[float]]:
    called: list[float] = []
    acknowledged: list[float] = []
    for _ in range(samples):
        token = stage.sign_in("grace")
        measured = stage.measure(token, partial(stage.revoke, "token", claims_of(token)["jti"], "block"))
        called += measured.called.values()
        acknowledged += measured.acknowledged.values()
    return called, acknowledged


BENCHMARK = Benchmark(
    name="propagation",
    title="Propagation as services see it",
    about=(
        f"{len(SERVICES)} services, each a process, are asked about a token over keep-alive HTTP a millisecond after each answer, while "
        "the issuer revokes it over HTTP. What is below a millisecond cannot be seen this way, and the asking itself takes part of the machine. "
        "Bare Kafka: one producer, one consumer, one record after the other, on the same broker."
    ),
    measure=measure,
)
