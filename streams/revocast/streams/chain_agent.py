"""The chain agent: one worker, the one that holds `revocast.revocations`, turns records into frames.

* Frames are delivered before their record is acknowledged.
* A backlog becomes few messages; a single record waits for nothing.
* A partition that misses frames asks for them (`rewind`): the log is read again from the partition's own mark and verified
  again. Nothing else is sent meanwhile, so that the partition finds no new gap behind the old one.
* What would have to be read from before the beginning of a truncated log comes from a snapshot (`Bases`).
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from time import monotonic
from typing import Any

import faust
from aiokafka.errors import KafkaError

from revocast.schemas.chain import Flaw
from revocast.schemas.topics import FRAME_PARTITIONS
from revocast.schemas.verdict import Verdict
from revocast.streams.control import ControlReader
from revocast.streams.errors import MalformedFrame
from revocast.streams.follower import Follower, Judged
from revocast.streams.frames import BasePiece, Frame, Mark, decode_request, encode
from revocast.streams.log_reader import end_offset, newest_marks, read_range, start_offset
from revocast.streams.patience import Patience
from revocast.streams.reports import Reporter
from revocast.streams.sending import send
from revocast.streams.snapshots.base import Bases

__all__ = ["ChainAgent"]

log = logging.getLogger(__name__)
_BATCH = 500
_BATCH_BYTES = 16 * 1024 * 1024
_ROWS_A_MESSAGE = 20_000
_GATHER_SECONDS = 1.0
_RETRY_SECONDS = 0.5


class ChainAgent:
    """`log_topic` is `revocast.revocations`, `log_end` its end offset as last heard, `owns_log` whether this worker holds it.

    `options` opens aiokafka clients.
    """

    def __init__(
        self,
        control: ControlReader,
        reporter: Reporter,
        bases: Bases,
        log_topic: str,
        frames_topic: faust.TopicT,
        log_end: Callable[[], int],
        owns_log: Callable[[], bool],
        options: Mapping[str, Any],
    ) -> None:
        self.follower: Follower | None = None
        self._control = control
        self._reporter = reporter
        self._bases = bases
        self.log_topic = log_topic
        self._frames_topic = frames_topic
        self._log_end = log_end
        self._owns_log = owns_log
        self._options = dict(options)
        self._inbox: asyncio.Queue[faust.EventT[bytes]] = asyncio.Queue(_BATCH)
        self._lock = asyncio.Lock()
        self._patience = Patience()
        self._looked_after: Mark | None = None

    async def records(self, stream: faust.Stream[bytes]) -> None:
        """Faust agent on the log. What is queued here is acknowledged by `run`."""
        async for event in stream.noack().events():
            await self._inbox.put(event)

    async def rewinds(self, stream: faust.Stream[bytes]) -> None:
        """Faust agent on the requests of partitions that miss frames."""
        async for event in stream.events():
            try:
                partition, mark = decode_request(event.value)
            except MalformedFrame as error:
                log.error("a message on the rewinds topic is not ours: %s", error)
                continue
            # One that fails is not tried again: the partition asks again.
            await self._done(self._rewind(partition, mark))

    def forget(self) -> None:
        """The log has moved to another worker, or may have: the place is found again from the frames."""
        self.follower = None

    async def run(self) -> None:
        """Process batches until cancelled. A broker that is away is waited for."""
        while True:
            batch = await self._gather()
            while not await self._done(self._process(batch) if batch else self._catch_up()):
                pass
            for event in batch:
                event.ack()

    async def _done(self, work: Coroutine[Any, Any, None]) -> bool:
        try:
            async with self._lock:
                await work
        except KafkaError as error:
            log.warning("the log or the frames cannot be read, trying again: %r", error)
            self.forget()  # It may have moved on without its frames; these say where to begin.
            await asyncio.sleep(_RETRY_SECONDS)
            return False
        return True

    async def _gather(self) -> list[faust.EventT[bytes]]:
        batch: list[faust.EventT[bytes]] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GATHER_SECONDS):
                batch.append(await self._inbox.get())
                # Every message costs each partition a table write: a backlog is worth waiting for, a single record not.
                while len(batch) < _BATCH and batch[-1].message.offset + 1 < self._log_end():
                    batch.append(await self._inbox.get())
        return batch

    async def _process(self, events: list[faust.EventT[bytes]]) -> None:
        follower = self.follower = self.follower or await self._start()
        verdicts: list[Verdict] = []
        frames: list[list[Frame]] = []
        for event in events:
            offset = event.message.offset
            if offset > follower.next_offset:
                await self._emit(frames)
                frames = []
                # Those were acknowledged by an earlier run, so it has reported what was to be reported.
                await self._read(follower, offset)
            judged = follower.receive(event.value, monotonic(), offset)
            frames += judged.frames
            verdicts += judged.verdicts
        settled = await self._settle(follower)
        await self._emit(frames + settled.frames)
        values = {event.message.offset: event.value for event in events}
        await self._report(verdicts + settled.verdicts, values)

    async def _report(self, verdicts: Iterable[Verdict], values: Mapping[int, bytes | None]) -> None:
        async def tell(verdict: Verdict) -> None:
            offset = verdict.offset
            value = values[offset] if offset in values else await self._value_at(offset)
            await self._reporter.rejected(self.log_topic, offset, verdict.reason, value)

        # All at once: one after the other, a flood of junk would hold up the records behind it.
        await asyncio.gather(*map(tell, verdicts))

    async def _start(self) -> Follower:
        await self._control.keys_read()
        marks = await newest_marks(self._options, self._frames_topic.get_topic_name(), FRAME_PARTITIONS)
        known = [mark for mark in marks if mark]
        mark = min(known, key=lambda mark: (mark.epoch, mark.n)) if len(known) == len(marks) else None
        follower = await self._on_base(Follower(self._control.trust, mark), dict(enumerate(marks)))
        mark = follower.mark
        log.info("following the log after %s", f"record {mark.epoch}/{mark.n}" if mark else "its beginning")
        return follower

    async def _on_base(self, follower: Follower, marks: Mapping[int, Mark | None]) -> Follower:
        """This follower, or one on a base if it would have to read what the log no longer has.

        `marks` say where the partitions stand that the base is for.
        """
        start = await start_offset(self._options, self.log_topic)
        if follower.next_offset >= start:
            return follower
        mark = await self._bases.send(marks, start, self._send_piece)
        if mark is None:
            log.error("the log begins at offset %d, and no snapshot is usable for what was before", start)
            return follower
        return Follower(self._control.trust, mark)

    async def _send_piece(self, partition: int, piece: BasePiece) -> None:
        await send(self._frames_topic, key=b"%d" % partition, value=encode([piece]), partition=partition)

    async def _settle(self, follower: Follower) -> Judged:
        """Judge what waits for keys: one look at the keys topic for a whole batch, whatever junk is in it."""
        waiting = follower.chain.held_for_keys
        if not waiting:
            return Judged()
        await self._control.keys_read()
        return follower.settle(monotonic(), waiting)

    async def _read(
        self, follower: Follower, end: int, *, only: int | None = None, report_from: int | None = None
    ) -> None:
        """Send the frames of the log between the follower's place and `end`; tell what is not believed of `report_from` on."""
        judged, values, size = Judged(), dict[int, bytes | None](), 0

        async def flush() -> None:
            settled = await self._settle(follower)
            await self._emit(judged.frames + settled.frames, only)
            if report_from is not None:
                told = [v for v in judged.verdicts + settled.verdicts if v.offset >= report_from]
                await self._report(told, values)

        async for record in read_range(self._options, self.log_topic, follower.next_offset, end):
            part = follower.receive(record.value, monotonic(), record.offset)
            judged.frames.extend(part.frames)
            judged.verdicts.extend(part.verdicts)
            values[record.offset] = record.value
            size += len(record.value or b"")
            if len(values) >= _BATCH or size >= _BATCH_BYTES:
                await flush()
                judged, values, size = Judged(), {}, 0
        await flush()
        follower.next_offset = end

    async def _value_at(self, offset: int) -> bytes | None:
        values = [
            record.value async for record in read_range(self._options, self.log_topic, offset, offset + 1)
        ]
        return values[0] if values else None

    async def _catch_up(self) -> None:
        """Nothing arrives. If something should, read it: Faust acknowledges unseen what it fetched before a rebalance."""
        if not self._owns_log():
            return
        follower = self.follower = self.follower or await self._start()
        now = monotonic()
        follower.chain.handle_timer(now)
        behind = Flaw.GAP in follower.chain.flaws or self._control.is_ahead_of(follower.mark)
        if not behind or not self._patience.ends((follower.mark, follower.next_offset), now):
            return
        seen = follower.next_offset
        end = await end_offset(self._options, self.log_topic)
        # A topic that was created again has other offsets. It shows by an earlier end, or by a look that brought nothing.
        whole = end < seen or follower.mark == self._looked_after
        self._looked_after = follower.mark
        follower.rewind(whole=whole)
        marks = dict.fromkeys(range(FRAME_PARTITIONS), follower.mark)
        follower = self.follower = await self._on_base(follower, marks)
        log.warning("behind, and nothing arrives: reading offsets %d to %d again", follower.next_offset, end)
        await self._read(follower, end, report_from=0 if end < seen else seen)

    async def _rewind(self, partition: int, mark: Mark | None) -> None:
        follower = self.follower = self.follower or await self._start()
        if mark is not None and mark == follower.mark:
            return  # It has every frame there is; what it waits for is behind the junk that is being read.
        log.warning("partition %d misses frames after %s, reading the log again", partition, mark)
        again = Follower(self._control.trust, mark)
        if again.next_offset > follower.next_offset:
            again.rewind(whole=True)  # The mark's offset is of a log that is no more.
        again = await self._on_base(again, {partition: mark})
        await self._read(again, follower.next_offset, only=partition)

    async def _emit(self, frames: Iterable[list[Frame]], only: int | None = None) -> None:
        partitions = range(FRAME_PARTITIONS) if only is None else (only,)
        for batch in _batches(frames):
            await asyncio.gather(
                *(
                    send(
                        self._frames_topic,
                        key=b"%d" % partition,
                        value=encode(of_record[partition] for of_record in batch),
                        partition=partition,
                    )
                    for partition in partitions
                )
            )


def _batches(frames: Iterable[list[Frame]]) -> Iterable[list[list[Frame]]]:
    """Runs of records that fit one message in every partition."""
    batch: list[list[Frame]] = []
    rows = 0
    for of_record in frames:
        batch.append(of_record)
        rows += sum(len(frame.rows) for frame in of_record)
        if len(batch) >= _BATCH or rows >= _ROWS_A_MESSAGE:
            yield batch
            batch, rows = [], 0
    if batch:
        yield batch
