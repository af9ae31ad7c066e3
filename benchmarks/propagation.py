"""Acknowledged revoke → refused, in services that are processes of their own, beside bare Kafka on the same broker.

Three services are asked about the token once a millisecond each, over keep-alive HTTP, while the issuer revokes it over
HTTP. What is below a millisecond cannot be seen this way, and the asking itself takes part of the machine.
"""

import tempfile
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from revocast.cli.operator import Operator
from revocast.cli.settings import operator_settings
from revocast.dev.broker import running_broker
from revocast.dev.demo.bare_kafka import round_trips
from revocast.dev.demo.deployment import SERVICES, Deployment
from revocast.dev.demo.processes import Processes
from revocast.dev.demo.report import Report
from revocast.dev.demo.stage import Stage, claims_of

__all__ = ["measure"]


def measure(samples: int, console: Console) -> Table:
    """Start everything, revoke `samples` tokens one after the other, and compare."""
    folder = Path(tempfile.mkdtemp(prefix="revocast-bench-"))
    with running_broker(own=True, progress=console.print) as broker, closing(Processes(folder)) as processes:
        deployment = Deployment(broker, processes, folder, "bench")
        with console.status("the whole system starts"):
            deployment.init()
            deployment.run("topics", "ensure")
            deployment.start_issuer()
            deployment.start_readers()
        with Operator(operator_settings(deployment.environ)) as operator:
            stage = Stage(deployment, operator, Report(SERVICES), samples)
            stage.register()
            with console.status(f"{samples} revocations"):
                called, acknowledged = _revoke(stage, samples)
        with console.status("bare Kafka"):
            bare = round_trips(broker.bootstrap, "bench.bare", samples)
    return _table(samples, called, acknowledged, [sent for sent, _ in bare])


def _revoke(stage: Stage, samples: int) -> tuple[list[float], list[float]]:
    called: list[float] = []
    acknowledged: list[float] = []
    for _ in range(samples):
        token = stage.sign_in("grace")
        measured = stage.measure(token, partial(stage.revoke, "token", claims_of(token)["jti"], "block"))
        called += measured.called.values()
        acknowledged += measured.acknowledged.values()
    return called, acknowledged


def _table(samples: int, called: list[float], acknowledged: list[float], bare: list[float]) -> Table:
    table = Table(
        title=f"Propagation: {samples} revocations, {len(SERVICES)} services, one broker; milliseconds"
    )
    for column in ("", "p50", "p99", "max", "p50 / bare p50"):
        table.add_column(column, justify="right" if column else "left")
    for name, seconds in (
        ("acknowledged → refused", acknowledged),
        ("revoke called → refused", called),
        ("bare Kafka, sent → consumed", bare),
    ):
        figures = (median(seconds), _p99(seconds), max(seconds))
        ratio = median(seconds) / median(bare)
        table.add_row(name, *(f"{figure * 1000:.1f}" for figure in figures), f"{ratio:.1f}")
    return table


def _p99(seconds: Sequence[float]) -> float:
    return sorted(seconds)[round(0.99 * (len(seconds) - 1))]
