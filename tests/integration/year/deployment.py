"""The deployment of the year: a real issuer and relay in this process, a real streams worker beside it, one clock for all."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from revocast.dev.broker.ports import free_ports
from revocast.issuer.authority.cutting import CutRule
from revocast.issuer.authority.revocations import Receipt, Revocation
from revocast.issuer.authority.snapshots import SnapshotState
from revocast.issuer.relay import UpkeepRules
from revocast.issuer.storage.log import head_of, packed_table
from revocast.schemas.row import Slot
from revocast.schemas.selector import Selector
from revocast.schemas.settings import KafkaSettings
from revocast.schemas.topics import Topics
from revocast.sdk import Guard
from revocast.sdk.instant import Instant
from tests.integration.year import clocked_streams
from tests.issuer.core.authority import ISSUER, ORDERS, Authority
from tests.issuer.core.reader import until

__all__ = ["Deployment", "running"]

_WAIT_S = 60.0
_CUT_WAIT_S = 15.0


class Deployment:
    """`now` is everybody's clock on the wall, seconds since 1970."""

    def __init__(self, authority: Authority, kafka: str, topics: Topics, folder: Path) -> None:
        self.authority = authority
        self.kafka = kafka
        self.topics = topics
        self.folder = folder
        self.clock_file = folder / "clock"
        self.move_to(authority.clock.now)

    @property
    def now(self) -> float:
        return self.authority.clock.now

    def move_to(self, now: float) -> None:
        """Let time pass. Streams first: a checkpoint from far ahead is not believed."""
        beside = self.clock_file.with_suffix(".new")
        beside.write_text(str(now))
        beside.replace(self.clock_file)
        self.authority.clock.now = now

    async def revoke(self, jtis: list[str], lifetime_s: int) -> Receipt:
        """Revoke tokens that would live so long, in one request; return when Kafka has it."""
        expires_at = int(self.now) + lifetime_s
        tokens = [Revocation(Selector.token(ISSUER, jti), Slot.BLOCK, expires_at=expires_at) for jti in jtis]
        receipt = await asyncio.to_thread(self.authority.revoke, *tokens)
        state = await self.authority.service.published(receipt, _WAIT_S)
        assert state == "published"
        return receipt

    async def countersigned(self, t: int) -> bool:
        """Wait until the newest cut, of time `t` or later, was countersigned; False: it was lost, and another is asked for.

        A cut is lost when the relay begins anew before it was compared, as it does under a new delegation list.
        """

        def done() -> bool:
            newest = self.authority.service.snapshots().snapshots[-1:]
            return bool(newest) and newest[0].t >= t and newest[0].state is SnapshotState.COUNTERSIGNED

        deadline = time.monotonic() + _CUT_WAIT_S
        while not done():
            if time.monotonic() > deadline:
                await self.revoke([f"after-{t}"], 1)
                await asyncio.to_thread(self.authority.service.ask_for_snapshot)
                await until(done, f"the cut after the one that was lost at {t} is countersigned", _WAIT_S)
                return False
            await asyncio.sleep(0.02)
        return True

    def table(self) -> tuple[int, bytes]:
        """(n, packed table) of the issuer."""
        with self.authority.storage.read() as session:
            return head_of(session).n, packed_table(session)

    def guard(self, name: str) -> Guard:
        """A service that keeps its state under `name`."""
        return Guard(
            ISSUER,
            ORDERS,
            self.kafka,
            self.authority.terms.root,
            prefix=self.topics.prefix,
            state_dir=self.folder / name,
            startup_timeout=_WAIT_S,
            clock=lambda: Instant(self.now, time.monotonic()),
        )


@asynccontextmanager
async def running(
    kafka: str, topics: Topics, folder: Path, cut_s: int, log_age_s: int
) -> AsyncIterator[Deployment]:
    """Everything started; ended whatever happens."""
    authority = Authority(folder / "issuer")
    deployment = Deployment(authority, kafka, topics, folder)
    rules = UpkeepRules(CutRule(10**9, cut_s), log_age_s)
    relay = authority.relay(KafkaSettings(kafka=kafka, prefix=topics.prefix), rules=rules)
    (port,) = free_ports(1)
    environ = {
        **os.environ,
        "REVOCAST_KAFKA": kafka,
        "REVOCAST_PREFIX": topics.prefix,
        "REVOCAST_ISSUER": ISSUER,
        "REVOCAST_ROOT": authority.terms.root,
        "REVOCAST_STREAMS_LISTEN": f"127.0.0.1:{port}",
        "REVOCAST_SNAPSHOT_KEY": str(authority.home.snapshot_key),
        "REVOCAST_STREAMS_DATADIR": str(folder / "streams"),
    }
    await relay.start()
    with (folder / "streams.log").open("wb") as output:
        worker = await asyncio.create_subprocess_exec(
            sys.executable,
            str(Path(clocked_streams.__file__)),
            str(deployment.clock_file),
            env=environ,
            stdout=output,
            stderr=output,
        )
    try:
        yield deployment
    finally:
        if worker.returncode is None:  # one that died by itself must not hide why
            worker.kill()
        await worker.wait()
        await relay.stop()
        authority.close()
