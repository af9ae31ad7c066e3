"""A deployment on a real Kafka whose issuer signs checkpoints, and the doctor that looks at it as a service would."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from revocast.schemas.settings import KafkaSettings
from revocast.testing import Authority
from tests.cli.conftest import Cli, Done
from tests.sdk.stage import Stage

PACE = 0.2


@dataclass(frozen=True)
class Report:
    """What the doctor said: `done` as it ended, `lines` of `verdict check: says → mend`."""

    done: Done
    lines: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        found = [json.loads(line) for line in self.done.out.splitlines()]
        said = (f"{each['verdict']} {each['check']}: {each['says']} → {each['mend']}" for each in found)
        object.__setattr__(self, "lines", tuple(said))

    @property
    def code(self) -> int:
        return self.done.code

    def verdicts(self, check: str) -> set[str]:
        """The verdicts of one check."""
        return {line.split()[0] for line in self.lines if line.split()[1] == f"{check}:"}

    def about(self, check: str) -> str:
        """All that was said about one check."""
        return "\n".join(line for line in self.lines if line.split()[1] == f"{check}:")


async def doctor(environ: Mapping[str, str], *options: str) -> Report:
    """Run it beside this loop, which goes on."""
    done = await asyncio.to_thread(Cli(environ), "doctor", "--json", *options)
    assert "Traceback" not in done.err
    return Report(done)


@dataclass
class Deployment:
    """`ahead` is by how many seconds the issuer's clock is ahead of ours; `environ` is a service's."""

    authority: Authority
    environ: dict[str, str]
    ahead: int = 0
    alive: bool = True


def service(authority: Authority, kafka: Mapping[str, str], prefix: str, folder: Path) -> dict[str, str]:
    """The environment of a service, which has nothing to be told about."""
    return {
        **kafka,
        "REVOCAST_PREFIX": prefix,
        "REVOCAST_ISSUER": authority.issuer,
        "REVOCAST_AUDIENCE": authority.audience,
        "REVOCAST_ROOT": authority.pin,
        "REVOCAST_STATE_DIR": str(folder / "state"),
    }


@asynccontextmanager
async def living(deployment: Deployment, stage: Stage) -> AsyncIterator[None]:
    """Checkpoints come, as long as `deployment.alive`."""

    async def live() -> None:
        while True:
            if deployment.alive:
                deployment.authority.now = int(time.time()) + deployment.ahead
                deployment.authority.checkpoint()
            await stage.publish()
            await asyncio.sleep(PACE)

    task = asyncio.create_task(live())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def plain(kafka: str) -> dict[str, str]:
    """Of a Kafka without protection."""
    return {"REVOCAST_KAFKA": kafka}


def settings_of(environ: Mapping[str, str]) -> KafkaSettings:
    """The Kafka part of it."""
    return KafkaSettings.from_env(environ)
