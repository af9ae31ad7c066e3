"""`python -m benchmarks [ROW …] [--quick | --full]`: all rows when none is named."""

import argparse
import sys
import time

from rich.console import Console

from benchmarks import page
from benchmarks.rows import ROWS
from benchmarks.running import RowFailed, run_row
from benchmarks.shown import on_terminal
from benchmarks.store import load, save

_WIDTH = 130  # of what is no terminal


def main() -> int:
    """Run, print, keep and write the page. 1 when a row failed: its result of an earlier run stays, and the others go on."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("row", nargs="*", help="default: all")
    parser.add_argument("--list", action="store_true", help="only name the rows")
    effort = parser.add_mutually_exclusive_group()
    effort.add_argument("--quick", action="store_true", help="seconds a row; the figures are not kept")
    effort.add_argument("--full", action="store_true", help="an hour at most")
    arguments = parser.parse_args()
    if arguments.list:
        print(*ROWS, sep="\n")
        return 0
    if unknown := [name for name in arguments.row if name not in ROWS]:
        parser.error(f"no row is named {', '.join(unknown)}; there are: {', '.join(ROWS)}")
    console, failed = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH), []
    for name in arguments.row or ROWS:
        started = time.monotonic()
        try:
            with console.status(f"{name} is measured"):
                result = run_row(
                    name, "quick" if arguments.quick else "full" if arguments.full else "default"
                )
        except RowFailed as error:
            failed.append(name)
            console.print(f"[red]{name} failed:[/red] ", end="")
            console.print(str(error), markup=False)
            continue
        console.print(on_terminal(result))
        console.print(f"{name}: {time.monotonic() - started:.0f} s", style="dim")
        if not arguments.quick:
            save(result)
    if not arguments.quick:
        page.write(load(ROWS))
        console.print("docs/benchmarks.md is written from the results.")
    if failed:
        console.print(f"Failed: {', '.join(failed)}.", style="red")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
