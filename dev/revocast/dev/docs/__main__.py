"""Write `docs/reference`, or with `--check` say which file is not what the code gives; then follow every local link."""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from revocast.dev.docs.command_line import command_line
from revocast.dev.docs.links import dead_links
from revocast.dev.docs.metrics_table import metrics_table
from revocast.dev.docs.openapi import issuer_openapi
from revocast.dev.docs.settings_tables import settings_tables
from revocast.dev.docs.state_diagrams import state_diagrams
from revocast.dev.docs.topics_table import topics_table

ROOT: Final = Path(__file__).resolve().parents[4]

DOCUMENTS: Final[Mapping[str, Callable[[], str]]] = MappingProxyType(
    {
        "cli.md": command_line,
        "issuer-openapi.json": issuer_openapi,
        "metrics.md": metrics_table,
        "settings.md": settings_tables,
        "states.md": state_diagrams,
        "topics.md": topics_table,
    }
)


def main() -> int:
    """Exit status 1 when `--check` finds a difference, or a link leads nowhere."""
    parser = argparse.ArgumentParser(prog="python -m revocast.dev.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, only compare")
    check = parser.parse_args().check
    folder = ROOT / "docs" / "reference"
    stale = []
    for name, document in DOCUMENTS.items():
        path, text = folder / name, document()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for path in stale:
        print(f"{path.relative_to(ROOT)}: {'differs from the code; run: make docs' if check else 'written'}")
    dead = dead_links(ROOT)
    for link in dead:
        print(link)
    return 1 if dead or (check and stale) else 0


if __name__ == "__main__":
    sys.exit(main())
