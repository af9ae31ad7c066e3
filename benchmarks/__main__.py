"""`python -m benchmarks [propagation] [verification] [strictness]`: all when none is named."""

import argparse
import os
import platform
import sys

from rich.console import Console

from benchmarks import propagation, strictness, verification


def main() -> int:
    """Run and print; 0 when everything was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "what",
        nargs="*",
        choices=("propagation", "verification", "strictness"),
        default=[],
        help="default: all",
    )
    parser.add_argument("--samples", type=int, default=500, metavar="N", help="revocations measured (500)")
    arguments = parser.parse_args()
    console = Console()
    console.print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
    if not arguments.what or "verification" in arguments.what:
        console.print(verification.measure())
    if not arguments.what or "strictness" in arguments.what:
        console.print(strictness.measure())
    if not arguments.what or "propagation" in arguments.what:
        console.print(propagation.measure(arguments.samples, console))
    return 0


if __name__ == "__main__":
    sys.exit(main())
