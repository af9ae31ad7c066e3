"""One process of a crowd: a line of JSON says what to be, each further line is a token to wait for. Killed at the end.

A guard's time is taken when the core has applied the records that it was handed and refuses the token: asking every guard all the
while would take more of the machine than the guards do.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from revocast.schemas.verdict import Verdict
from revocast.sdk import Guard, TokenRevoked
from revocast.sdk.core import GuardCore, Received
from revocast.sdk.freshness import Topic
from revocast.sdk.instant import Instant

_STARTING_AT_ONCE = 10


class Waiting:
    """Who has it, and since when."""

    def __init__(self, readers: int) -> None:
        self._readers = readers
        self._times: dict[int, float] = {}
        self._all = asyncio.Event()
        self.token = ""

    def arm(self, token: str) -> None:
        """Begin anew."""
        self._times, self.token = {}, token
        self._all.clear()

    def has(self, reader: int) -> None:
        """This one, now."""
        self._times.setdefault(reader, time.monotonic())
        if len(self._times) == self._readers:
            self._all.set()

    async def times(self) -> list[float]:
        """Once all have it."""
        async with asyncio.timeout(30):
            await self._all.wait()
        return list(self._times.values())


def watch_cores(waiting: Waiting) -> None:
    """Look at every core right after it was handed records of the log."""
    receive = GuardCore.receive

    def receive_and_look(
        core: GuardCore, topic: Topic, records: Iterable[Received], now: Instant
    ) -> list[Verdict]:
        verdicts = receive(core, topic, records, now)
        if topic is Topic.LOG and waiting.token:
            try:
                core.verify(waiting.token, now)
            except TokenRevoked:
                waiting.has(id(core))
        return verdicts

    GuardCore.receive = receive_and_look  # type: ignore[assignment, method-assign]


async def be_guards(said: dict[str, Any], waiting: Waiting) -> list[Guard]:
    """Start them, ten at a time."""
    watch_cores(waiting)
    guards = [
        Guard(**said["guard"], state_dir=Path(said["folder"], str(number)), startup_timeout=60)
        for number in range(said["readers"])
    ]
    for start in range(0, len(guards), _STARTING_AT_ONCE):
        await asyncio.gather(*(guard.start() for guard in guards[start : start + _STARTING_AT_ONCE]))
    return guards


async def be_consumers(said: dict[str, Any], waiting: Waiting) -> list["asyncio.Task[None]"]:
    """Each with a connection of its own, at the end of the topic."""
    partition = TopicPartition(said["topic"], 0)

    async def consume(number: int, consumer: AIOKafkaConsumer) -> None:
        async for _ in consumer:
            waiting.has(number)

    tasks = []
    for number in range(said["readers"]):
        consumer = AIOKafkaConsumer(bootstrap_servers=said["kafka"], group_id=None)
        await consumer.start()
        consumer.assign([partition])
        await consumer.seek_to_end(partition)
        await consumer.position(partition)
        tasks.append(asyncio.create_task(consume(number, consumer)))
    return tasks


async def main() -> None:
    """Until it is killed."""
    said = json.loads(await asyncio.to_thread(sys.stdin.readline))
    waiting = Waiting(said["readers"])
    guards: list[Guard] = []
    if said["kind"] == "guards":
        guards = await be_guards(said, waiting)
    else:
        kept = await be_consumers(said, waiting)
        assert kept
    print("true", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        token = json.loads(line)
        for guard in guards:
            guard.verify(token)
        waiting.arm(token)
        print("true", flush=True)
        print(json.dumps(await waiting.times()), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
