"""Fuzz all targets, or those that are named, for a bounded time each: `make fuzz FUZZ_SECONDS=60 ARGS="token rows"`.

Inputs that found something new stay in `.fuzz/NAME`, and the next run begins with them. What crashes a target is left beside
them as `crash-…`: make it a test in tests/properties/test_parsing.py.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from fuzz.targets import TARGETS

HOME = Path(".fuzz")


def fuzz(name: str, seconds: int) -> bool:
    """Run one target in a process of its own; whether it found nothing."""
    corpus, seeds = HOME / name, HOME / f"{name}-seeds"
    for folder in (corpus, seeds):
        folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(TARGETS[name].seeds()):
        (seeds / str(number)).write_bytes(seed)
    options = (
        f"-max_total_time={seconds}",
        "-max_len=65536",
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-verbosity=0",
    )
    command = [sys.executable, "-m", "fuzz.target", name, *options, f"-artifact_prefix={corpus}/"]
    command += ["-print_final_stats=1", str(corpus), str(seeds)]
    print(f"--- {name}: {seconds} s", flush=True)
    return subprocess.run(command, check=False).returncode == 0


def main() -> None:
    """The command."""
    if importlib.util.find_spec("atheris") is None:
        sys.exit(
            "atheris is not installed: there is no wheel of it for this Python or system (see the group fuzz)"
        )
    seconds = int(os.environ.get("FUZZ_SECONDS") or 60)
    names = sys.argv[1:] or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        sys.exit(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    found = [name for name in names if not fuzz(name, seconds)]
    if found:
        sys.exit(f"found something: {', '.join(found)}; see {HOME}/")


if __name__ == "__main__":
    main()
