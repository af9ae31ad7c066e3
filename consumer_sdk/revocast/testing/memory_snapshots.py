"""The snapshots topic in memory, read as the guard reads it on Kafka."""

from collections.abc import AsyncIterator, Collection

from revocast.schemas.snapshot import Manifest, chunk_key
from revocast.sdk.core import Received
from revocast.sdk.snapshot_loading import Candidate
from revocast.testing.memory_log import InMemoryLog

__all__ = ["InMemorySnapshots"]


class InMemorySnapshots:
    """What `load_snapshot` reads from."""

    def __init__(self, log: InMemoryLog) -> None:
        self._log = log

    async def manifests(self) -> AsyncIterator[Received]:
        """Records under the key of a manifest, the newest first."""
        for message in reversed(list(self._log)):
            if message.key.startswith(b"manifest/"):
                yield Received(message.offset, message.value)

    async def hinted(self, manifest: Manifest) -> AsyncIterator[Candidate]:
        """What stands where the manifest says that its chunks stand."""
        offsets = {chunk.offset for chunk in manifest.chunks}
        async for candidate in self.anywhere(manifest, range(len(manifest.chunks)), offsets):
            yield candidate

    async def anywhere(
        self, manifest: Manifest, missing: Collection[int], offsets: Collection[int] | None = None
    ) -> AsyncIterator[Candidate]:
        """What stands anywhere, or at these offsets, under the keys of these chunks."""
        places = {chunk_key(manifest.chunks[number].sha256): number for number in missing}
        for message in list(self._log):
            if (
                message.key in places
                and message.value is not None
                and (offsets is None or message.offset in offsets)
            ):
                yield Candidate(places[message.key], message.value)
