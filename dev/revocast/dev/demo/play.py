"""The demo from its first process to its last scene."""

import secrets
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path

from revocast.cli.errors import CliError
from revocast.cli.operator import Operator
from revocast.cli.settings import operator_settings
from revocast.dev.broker import running_broker
from revocast.dev.demo.deployment import SERVICES, Deployment
from revocast.dev.demo.leftovers import delete_topics
from revocast.dev.demo.processes import Processes
from revocast.dev.demo.report import Report
from revocast.dev.demo.scenes import SCENES
from revocast.dev.demo.stage import Stage

__all__ = ["play", "set_stage", "start"]


def start(stack: ExitStack, report: Report, log_level: str = "info") -> Deployment:
    """Kafka, the issuer, streams and three services, all running; `stack` ends them."""
    with report.waiting("Kafka starts"):
        broker = stack.enter_context(running_broker(progress=lambda line: report.line(f"  {line}", "dim")))
    prefix = f"demo-{secrets.token_hex(3)}"
    stack.callback(delete_topics, broker, prefix)
    folder = Path(tempfile.mkdtemp(prefix="revocast-demo-"))
    processes = stack.enter_context(closing(Processes(folder)))
    deployment = Deployment(broker, processes, folder, prefix, log_level)
    report.command(f"revocast init --issuer {deployment.issuer_url}")
    with report.waiting("the authority is made"):
        deployment.init()
    report.command("revocast topics ensure")
    with report.waiting("the topics are made"):
        deployment.run("topics", "ensure")
    report.command("revocast serve issuer")
    with report.waiting("the issuer starts"):
        deployment.start_issuer()
    report.command("revocast serve streams")
    with report.waiting(f"streams and three services start ({', '.join(SERVICES)})"):
        deployment.start_readers()
    return deployment


def set_stage(stack: ExitStack, deployment: Deployment, report: Report, samples: int) -> Stage:
    """What the scenes play on: the operator is known, the shop and its client are registered."""
    operator = stack.enter_context(Operator(operator_settings(deployment.environ)))
    stage = Stage(deployment, operator, report, samples)
    stage.register()
    return stage


def play(stage: Stage) -> None:
    """Every scene, in order; the report says what was not so."""
    for title, play in SCENES:
        with stage.report.scene(title):
            try:
                play(stage)
            except (CliError, TimeoutError, OSError) as error:
                stage.report.expect(False, f"the scene ends: {error}")
