"""Runs one worker until it is told to stop, or until a part of it fails.

Faust may wait for ever for a broker that is away, so stopping has a deadline, kept by a thread that needs no event loop.
Everything may be ended in the middle: what was not acknowledged comes again.
"""

import asyncio
import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

import faust
import uvicorn
from faust.contrib.asgi import bind_to_running_loop

from revocast.streams.app import Streams, build
from revocast.streams.internal_topics import InternalTopics, ensure
from revocast.streams.settings import StreamsSettings

__all__ = ["run"]

log = logging.getLogger(__name__)
STOPPED: Final = 0
FAILED: Final = 1


async def run(settings: StreamsSettings, clock: Callable[[], float] = time.time) -> int:
    """Serve until SIGTERM or SIGINT; the process's exit status. `clock` is the wall clock in seconds.

    Raises `TopicMissing` or `KafkaAway` when Kafka is not set up, `SignerError` when the snapshot key cannot be used.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await ensure(settings, InternalTopics(settings.app_id))
    streams = build(settings, clock)
    server = _Server(
        uvicorn.Config(
            streams.api,
            settings.host,
            settings.port,
            loop="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            **settings.server_options(),
        )
    )
    await streams.control_consumer.start()
    faust_task = asyncio.create_task(_run_faust(streams.app), name="faust")
    tasks = {
        faust_task,
        asyncio.create_task(server.serve(), name="http"),
        asyncio.create_task(streams.control.run(), name="control topics"),
        asyncio.create_task(streams.chain.run(), name="chain"),
        asyncio.create_task(streams.shards.run(), name="shards"),
        asyncio.create_task(streams.shards.watch(), name="missing frames"),
        asyncio.create_task(streams.snapshots.run(), name="snapshots"),
        asyncio.create_task(streams.cutter.run(), name="cuts"),
        asyncio.create_task(streams.gatherer.run(), name="manifests"),
        asyncio.create_task(streams.failure.wait(), name="agents"),
    }
    told = asyncio.create_task(stop.wait(), name="stop")
    done, _ = await asyncio.wait({told, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    status = STOPPED if told in done else FAILED
    for task in done - {told}:
        log.error(
            "%s has ended, stopping", task.get_name(), exc_info=None if task.cancelled() else task.exception()
        )
    await _stop(settings, streams, faust_task, tasks, status)
    return status


async def _run_faust(app: faust.App) -> None:
    # As `faust_app_running`, but a start that is cancelled half-way is stopped, too: it has threads.
    bind_to_running_loop(app)
    app.finalize()
    try:
        await app.start()
        await app.wait_until_stopped()
    finally:
        await app.stop()


async def _stop(
    settings: StreamsSettings,
    streams: Streams,
    faust_task: asyncio.Task[None],
    tasks: set[asyncio.Task[None]],
    status: int,
) -> None:
    # Never cancelled: it also covers threads that the interpreter waits for at its end.
    deadline = threading.Timer(settings.streams_stop_seconds, _end_now, [status])
    deadline.daemon = True
    deadline.start()
    # Faust first: it waits for what is on its way, and the other tasks are what acknowledges that.
    faust_task.cancel()
    await asyncio.wait({faust_task})
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await streams.peers.close()
    await streams.snapshots.close()
    await streams.control_consumer.stop()


def _end_now(status: int) -> None:
    log.warning("still stopping after the deadline, ending now")
    os._exit(status)


class _Server(uvicorn.Server):
    """Leaves signals to `run`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install nothing."""
        yield
