"""`python -m revocast.dev.audit`."""

import argparse
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

from revocast.dev.audit.advisories import read_copy, read_database, write_copy
from revocast.dev.audit.lock import lock_problems, locked_packages

_ROOT = Path(__file__).resolve().parents[4]
_COPY = Path(__file__).with_name("advisories.json")
_OLD_DAYS = 90


def main() -> int:
    """Exit status 1 when a package is not pinned, or known to be vulnerable."""
    parser = argparse.ArgumentParser(
        prog="python -m revocast.dev.audit", description="Check uv.lock, offline."
    )
    parser.add_argument("--lock", type=Path, default=_ROOT / "uv.lock", help="the lock file [uv.lock]")
    parser.add_argument(
        "--refresh",
        type=Path,
        metavar="FOLDER",
        help="first copy the advisories from this git checkout of github.com/pypa/advisory-database",
    )
    arguments = parser.parse_args()
    packages = locked_packages(arguments.lock)
    if arguments.refresh:
        write_copy(_COPY, read_database(arguments.refresh, packages, _day_of(arguments.refresh)))
    known = read_copy(_COPY)
    problems = lock_problems(arguments.lock)
    for package in packages:
        problems += [
            f"{package.name} {package.version}: {', '.join((found.id, *found.aliases))}: {found.summary}"
            for found in known.about(package)
        ]
    for problem in problems:
        print(problem)
    print(f"{len(packages)} locked packages, advisories as of {known.as_of}: {len(problems)} problems")
    age = (datetime.now(UTC).date() - date.fromisoformat(known.as_of)).days
    if age > _OLD_DAYS:
        print(f"note: the copy of the advisories is {age} days old; `make audit` asks the network")
    return 1 if problems else 0


def _day_of(checkout: Path) -> str:
    """The day of the checkout's newest commit."""
    command = ["git", "-C", str(checkout), "log", "-1", "--format=%cs"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
