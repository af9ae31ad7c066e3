"""The first error that no part of a worker can handle. It ends the worker, so that nothing goes on half."""

import asyncio

__all__ = ["Failure"]


class Failure:
    """Set once, waited for by the one who stops the worker."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self._happened = asyncio.Event()

    def set(self, error: BaseException) -> None:
        """Tell about an error."""
        self.error = self.error or error
        self._happened.set()

    async def wait(self) -> None:
        """Raise the error once there is one."""
        await self._happened.wait()
        assert self.error is not None
        raise self.error
