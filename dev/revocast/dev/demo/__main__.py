"""`python -m revocast.dev.demo`."""

import argparse
import secrets
import signal
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from types import FrameType

from revocast.cli.errors import CliError
from revocast.cli.operator import Operator
from revocast.cli.settings import operator_settings
from revocast.dev.broker import BrokerError, running_broker
from revocast.dev.demo.deployment import SERVICES, Deployment
from revocast.dev.demo.leftovers import delete_topics
from revocast.dev.demo.processes import DemoError, Processes
from revocast.dev.demo.report import Report
from revocast.dev.demo.scenes import SCENES
from revocast.dev.demo.stage import Stage


def main() -> int:
    """Play the demo. 0: every scene was as it must be."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, _interrupted)
    report = Report(SERVICES)
    try:
        with ExitStack() as stack:
            started = time.monotonic()
            deployment = _start(stack, report)
            stage = _stage(stack, deployment, report, arguments.samples)
            _play(stage)
            report.summary()
            report.line(f"From nothing to here: {time.monotonic() - started:.0f} s.", "dim")
            if not arguments.once:
                _linger(deployment, report)
            with report.waiting("everything stops"):
                stack.close()
    except KeyboardInterrupt:
        report.line("Stopped; nothing is left behind.", "dim")
        return 130 if not report.played or report.failed else 0
    except (BrokerError, DemoError, CliError) as error:
        report.line(f"The demo cannot go on: {error}", "bold red")
        return 1
    return 1 if report.failed else 0


def _start(stack: ExitStack, report: Report) -> Deployment:
    with report.waiting("Kafka starts"):
        broker = stack.enter_context(running_broker(progress=lambda line: report.line(f"  {line}", "dim")))
    prefix = f"demo-{secrets.token_hex(3)}"
    stack.callback(delete_topics, broker, prefix)
    folder = Path(tempfile.mkdtemp(prefix="revocast-demo-"))
    processes = stack.enter_context(closing(Processes(folder)))
    deployment = Deployment(broker, processes, folder, prefix)
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


def _stage(stack: ExitStack, deployment: Deployment, report: Report, samples: int) -> Stage:
    operator = stack.enter_context(Operator(operator_settings(deployment.environ)))
    stage = Stage(deployment, operator, report, samples)
    stage.register()
    return stage


def _play(stage: Stage) -> None:
    for title, play in SCENES:
        with stage.report.scene(title):
            try:
                play(stage)
            except (CliError, TimeoutError, OSError) as error:
                stage.report.expect(False, f"the scene ends: {error}")


def _linger(deployment: Deployment, report: Report) -> None:
    """Everything stays up until Ctrl-C."""
    report.line("\nEverything is running. Ctrl-C ends it.", "bold")
    report.line(f"  issuer    {deployment.issuer_url}/docs")
    report.line(f"  streams   {deployment.streams_url}/docs")
    for name, port in deployment.ports.items():
        report.line(f"  {name:9} http://127.0.0.1:{port}/docs   (/healthz says what its guard knows)")
    report.line("  In another terminal:")
    for name in ("REVOCAST_KAFKA", "REVOCAST_PREFIX", "REVOCAST_HOME"):
        report.line(f"    export {name}={deployment.environ[name]}")
    report.line("    revocast list; revocast log verify; revocast audit tail -f")
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m revocast.dev.demo", description="The whole system, and what it does."
    )
    parser.add_argument("--once", action="store_true", help="stop everything after the summary")
    parser.add_argument(
        "--samples", type=int, default=20, metavar="N", help="revocations in the last scene (20)"
    )
    return parser.parse_args()


def _interrupted(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
