"""Reports what the control reader rejected. Every worker reads the control topics, but one holds their partition in the
consumer group and tells, once: where it got is what it has acknowledged.
"""

import faust

from revocast.streams.control import ControlReader
from revocast.streams.reports import Reporter

__all__ = ["Watch"]


class Watch:
    """Faust agent for `revocast.keys` and `revocast.checkpoints`."""

    def __init__(self, control: ControlReader, reporter: Reporter) -> None:
        self._control = control
        self._reporter = reporter

    async def records(self, stream: faust.Stream[bytes]) -> None:
        """Report each bad record before it is acknowledged."""
        async for event in stream.noack().events():
            message = event.message
            reason = await self._control.rejection(message.topic, message.offset)
            if reason is not None:
                await self._reporter.rejected(message.topic, message.offset, reason, event.value)
            event.ack()
