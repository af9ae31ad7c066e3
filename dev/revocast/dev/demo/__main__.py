"""`python -m revocast.dev.demo`."""

import argparse
import signal
import sys
import threading
import time
from contextlib import ExitStack, suppress
from types import FrameType

from revocast.cli.errors import CliError
from revocast.dev.broker import BrokerError
from revocast.dev.demo.deployment import SERVICES, Deployment
from revocast.dev.demo.play import play, set_stage, start
from revocast.dev.demo.processes import DemoError
from revocast.dev.demo.report import Report


def main() -> int:
    """Play the demo. 0: every scene was as it must be."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, _interrupted)
    report = Report(SERVICES)
    try:
        with ExitStack() as stack:
            started = time.monotonic()
            deployment = start(stack, report)
            play(set_stage(stack, deployment, report, arguments.samples))
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
