"""Kill a guard at random moments, again and again: what it leaves on the disk is whole, and what it holds is the issuer's table.

`python -m tests.sdk.kill_loop --kafka localhost:9092 --kills 200` prints the figures.

Records come all the while, and the base is written as often as it can be, so that many kills fall into a write. At every moment the
guard says what it holds; afterwards each such word, and each file, is compared with the table that the authority had at that n.
"""

import argparse
import asyncio
import hashlib
import multiprocessing
import random
import secrets
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from revocast.dev.broker.topics import create_topics
from revocast.schemas.row import Row
from revocast.schemas.topics import Topics
from revocast.sdk import Guard, base_keeping
from revocast.sdk import kafka as source
from revocast.sdk.local_copy import LocalCopy, Unusable
from revocast.sdk.settings import GuardSettings
from revocast.testing import Authority
from tests.sdk.stage import Stage, stage, until

__all__ = ["Figures", "kill_loop"]

_ROWS = 5_000
_AT_MOST_S = 0.8


@dataclass
class Figures:
    """`words` is how often guards said what they held, `files` how often a base lay there after a
    kill, `drafts` how often beside one that was not finished. The rest should be nothing."""

    kills: int = 0
    words: int = 0
    files: int = 0
    drafts: int = 0
    began: Counter[str] = field(default_factory=Counter)
    damaged: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


async def kill_loop(kafka: str, home: Path, kills: int, seed: int = 1) -> Figures:
    """Kill so many guards, one after the other, on one folder."""
    draw, figures = random.Random(seed), Figures()
    prefix = f"killed-{secrets.token_hex(4)}"
    topics = Topics(prefix)
    await create_topics(topics, kafka)
    authority = Authority(now=int(time.time()))
    for start in range(0, _ROWS, 1000):
        authority.append([_row(number, authority.now) for number in range(start, start + 1000)])
    authority.checkpoint()
    options = {
        "issuer": authority.issuer,
        "audience": authority.audience,
        "kafka": kafka,
        "root": authority.pin,
    }
    options |= {"prefix": prefix, "state_dir": str(home)}
    copy = LocalCopy(GuardSettings.from_env({}, **options).base_path)
    tables = {authority.position.n: _digest(authority.table.pack())}
    spawning = multiprocessing.get_context("forkserver")
    spawning.set_forkserver_preload(["tests.sdk.kill_loop"])
    async with stage(authority, topics, kafka) as staged:
        for number in range(kills):
            said = home / f"said-{number}"
            process = spawning.Process(target=_serve, args=(options, said), daemon=True)
            process.start()
            if number % 4:  # the others are killed on their way to it
                await until(said.exists)
            await _revoke_for(draw.uniform(0, _AT_MOST_S), authority, staged, tables)
            process.kill()
            process.join()
            figures.kills += 1
            _judge(said, copy, authority.issuer, tables, figures)
        guard = Guard(**options)  # type: ignore[arg-type]
        async with guard:
            position, table = guard.table()
            assert position is not None
            if _digest(table) != tables[position.n]:
                figures.wrong.append("the last guard")
    return figures


async def _revoke_for(seconds: float, authority: Authority, staged: Stage, tables: dict[int, bytes]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        authority.now = int(time.time())
        authority.append([_row(random.randrange(1 << 40), authority.now) for _ in range(3)])
        tables[authority.position.n] = _digest(authority.table.pack())
        authority.checkpoint()
        await staged.publish()


def _judge(said: Path, copy: LocalCopy, issuer: str, tables: dict[int, bytes], figures: Figures) -> None:
    for line in said.read_text().splitlines() if said.exists() else ():
        if not line.endswith("."):
            continue  # killed while it wrote
        n, digest, origin = line.rstrip(".").split("/")
        figures.words += 1
        figures.began[origin] += 1
        if tables.get(int(n)) != bytes.fromhex(digest):
            figures.wrong.append(f"a guard at {n}")
    if copy.identity() is None:
        return
    try:
        found = copy.load(issuer)
    except Unusable as error:
        figures.damaged.append(str(error))
        return
    figures.files += 1
    figures.drafts += len(list(copy.path.parent.glob("*.draft")))
    if tables.get(found.place.position.n) != _digest(found.base.rows[:]):
        figures.wrong.append(f"the file of {found.place.position.n}")


def _serve(options: dict[str, str], said: Path) -> None:
    base_keeping._SMALL_EVERY = 0.0  # type: ignore[misc]
    source._TICK = 0.01  # type: ignore[misc]
    asyncio.run(_follow(Guard(**options), said))  # type: ignore[arg-type]


async def _follow(guard: Guard, said: Path) -> None:
    async with guard:
        last = -1
        with said.open("w") as out:
            while True:
                position, table = guard.table()
                if position is not None and position.n != last:
                    last = position.n
                    out.write(f"{position.n}/{_digest(table).hex()}/{guard.health().origin}.\n")
                    out.flush()
                await asyncio.sleep(0.01)


def _row(number: int, now: int) -> Row:
    return Row.for_block(hashlib.sha256(b"%d" % number).digest()[:11], 1, now + 3600)


def _digest(table: bytes) -> bytes:
    return hashlib.sha256(table).digest()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.sdk.kill_loop", description=__doc__)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(asyncio.run(kill_loop(given.kafka, Path(folder), given.kills, given.seed)))


if __name__ == "__main__":
    main()
