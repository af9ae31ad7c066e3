"""One worker of a service that starts, in a process of its own, with a snapshot that is not read before it may be.

It says what it does by files in a folder: `<name>.reading` when it has found the snapshot and waits for `go`, and `<name>.ready`, which
holds where it began and the n of its table.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

from revocast.schemas.snapshot import Manifest
from revocast.sdk import Guard, beginning
from revocast.sdk.snapshot_loading import Candidate
from revocast.sdk.snapshot_reader import SnapshotReader
from tests.sdk.stage import until

__all__ = ["serve"]


def serve(options: dict[str, str], folder: Path, name: str) -> None:
    """Start a guard and stay."""

    hinted = SnapshotReader.hinted

    async def held(reader: SnapshotReader, manifest: Manifest) -> AsyncIterator[Candidate]:
        say(folder / f"{name}.reading", "")
        await until((folder / "go").exists, seconds=60)
        async for candidate in hinted(reader, manifest):
            yield candidate

    SnapshotReader.hinted = held  # type: ignore[assignment, method-assign]
    beginning._PATIENCE = 60.0  # type: ignore[misc]
    asyncio.run(_follow(Guard(**options), folder / f"{name}.ready"))  # type: ignore[arg-type]


async def _follow(guard: Guard, ready: Path) -> None:
    async with guard:
        health = guard.health()
        say(ready, f"{health.origin}/{health.n}")
        await asyncio.Event().wait()


def say(path: Path, words: str) -> None:
    """All at once."""
    path.with_suffix(f".{os.getpid()}").write_text(words)
    path.with_suffix(f".{os.getpid()}").replace(path)
