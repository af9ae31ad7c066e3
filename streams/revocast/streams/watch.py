"""Reports what the control reader rejected. Every worker reads the control topics, but one holds their partition in the
consumer group and tells, once: where it got is what it has acknowledged.
"""

import asyncio

import faust

from revocast.streams.control import ControlReader
from revocast.streams.reports import Reporter

__all__ = ["Watch"]

_AT_ONCE = 500


class Watch:
    """Faust agent for `revocast.keys` and `revocast.checkpoints`."""

    def __init__(self, control: ControlReader, reporter: Reporter) -> None:
        self._control = control
        self._reporter = reporter
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def records(self, stream: faust.Stream[bytes]) -> None:
        """Report each bad record before it is acknowledged."""
        async with asyncio.TaskGroup() as tasks:
            async for event in stream.noack().events():
                await self._places.acquire()
                tasks.create_task(self._tell(event))

    async def _tell(self, event: faust.EventT[bytes]) -> None:
        message = event.message
        reason = await self._control.rejection(message.topic, message.offset)
        if reason is not None:
            await self._reporter.rejected(message.topic, message.offset, reason, event.value)
        event.ack()
        self._places.release()
