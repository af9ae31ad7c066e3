"""A streams worker whose clock on the wall is a file: `python clocked_streams.py FILE`."""

import asyncio
import sys
from pathlib import Path

from revocast.streams.settings import StreamsSettings
from revocast.streams.worker import run


def main() -> int:
    """Serve until told to stop."""
    file = Path(sys.argv[1])
    return asyncio.run(run(StreamsSettings.from_env(), lambda: float(file.read_text())))


if __name__ == "__main__":
    sys.exit(main())
