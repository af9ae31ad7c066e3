"""Write `schemas/json` and `schemas/vectors`, or with `--check` say which file is not what the models give."""

import argparse
import json
import sys
from pathlib import Path

from revocast.dev.schemas.json_schema import json_schemas
from revocast.dev.schemas.vectors import vectors

ROOT = Path(__file__).resolve().parents[4] / "schemas"


def main() -> int:
    """Exit status 1 when `--check` finds a difference."""
    parser = argparse.ArgumentParser(prog="python -m revocast.dev.schemas", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, only compare")
    check = parser.parse_args().check
    stale = []
    for folder, documents in (("json", json_schemas()), ("vectors", vectors())):
        for name, document in documents.items():
            path = ROOT / folder / name
            text = json.dumps(document, indent=2, sort_keys=True) + "\n"
            if path.exists() and path.read_text(encoding="utf-8") == text:
                continue
            stale.append(path)
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    for path in stale:
        verb = "differs from the models" if check else "written"
        print(f"{path.relative_to(ROOT.parent)}: {verb}")
    if check and stale:
        print("run: python -m revocast.dev.schemas", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
