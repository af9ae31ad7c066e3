"""The host's base file, as one guard sees it: which one it knows, whether it may write, and how another one is put there.

Files are read, checked and forced to the disk in a thread of the loop's own pool; nothing else here leaves the loop.
"""

import asyncio
from pathlib import Path

from revocast.sdk.base_lock import BaseLock
from revocast.sdk.journal import logger
from revocast.sdk.local_copy import Copy, Draft, Identity, LocalCopy, Place, Unusable

__all__ = ["BaseFile"]


class BaseFile:
    """`known` is the place of the file that was last read or written; None: none could be used."""

    def __init__(self, path: Path, issuer: str) -> None:
        self.copy = LocalCopy(path)
        self.lock = BaseLock(path.with_name(f"{path.name}.lock"))
        self.known: Place | None = None
        self._problem = ""
        self._issuer = issuer
        self._seen: Identity | None = None
        self._ahead: asyncio.Task[Copy | None] | None = None
        self._publishing: asyncio.Task[None] | None = None

    @property
    def problem(self) -> str:
        """Why no file can be written; empty: nothing is known against it."""
        return self._problem or self.lock.problem

    @property
    def changed(self) -> bool:
        """Whether another file stands there than the one last seen. One system call."""
        found = self.copy.identity()
        return found is not None and found != self._seen

    @property
    def publishing(self) -> bool:
        """Whether a file is on its way to the disk."""
        return self._publishing is not None and not self._publishing.done()

    def read_ahead(self) -> None:
        """Begin to read the file, while there is something else to wait for."""
        self._seen = None  # a guard that is started again begins from the file, too, be it its own
        self._ahead = asyncio.create_task(self._read())

    async def read(self) -> Copy | None:
        """The file that stands there, if it is another one than before and can be used."""
        ahead, self._ahead = self._ahead, None
        return await (ahead or self._read())

    async def _read(self) -> Copy | None:
        if not self.changed:
            return None
        self._seen, self.known = self.copy.identity(), None
        try:
            copy = await asyncio.to_thread(self.copy.load, self._issuer)
        except Unusable as error:
            logger.warning("the local copy is not used: %s", error)
            return None
        self._seen, self.known = copy.identity, copy.place
        return copy

    def publish(self, draft: Draft, place: Place) -> None:
        """Make a finished draft the host's file, in the background, and close it."""
        self._publishing = asyncio.create_task(self._publish(draft, place))

    async def finish(self) -> None:
        """Wait for what is on its way."""
        if self._publishing is not None:
            await self._publishing

    async def _publish(self, draft: Draft, place: Place) -> None:
        try:
            identity = await asyncio.to_thread(draft.publish, place)
            if identity is not None:
                self._seen, self.known = identity, place
            self._problem = draft.problem
        finally:
            draft.close()
