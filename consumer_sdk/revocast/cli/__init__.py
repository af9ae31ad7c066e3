"""The `revocast` command: what an operator does, over the issuer's HTTP API and straight from Kafka."""

import sys
from importlib.util import find_spec

__all__ = ["main"]


def main() -> None:
    """Entry point of the console script. Needs the extra `cli`."""
    missing = [name for name in ("typer", "rich", "httpx") if find_spec(name) is None]
    if missing:
        print(f'revocast: {", ".join(missing)} missing. Run: pip install "revocast[cli]"', file=sys.stderr)
        raise SystemExit(2)
    from revocast.cli.app import run  # only now: it needs what was looked for above

    raise SystemExit(run(sys.argv[1:]))
