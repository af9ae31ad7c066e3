"""`python -m tests.integration.year [--steps 365]`: a year with a step a day, and what it came to."""

import argparse
import asyncio
import secrets
import sys
import tempfile
from dataclasses import asdict, fields
from pathlib import Path

from revocast.dev.broker import running_broker
from revocast.dev.broker.topics import create_topics
from revocast.issuer.relay import upkeep
from revocast.schemas.topics import Topics
from tests.integration.year.deployment import running
from tests.integration.year.simulation import DAY, Plan, Year
from tests.integration.year.sizes import Sizes


async def _live(kafka: str, plan: Plan) -> Year:
    topics = Topics(f"year-{secrets.token_hex(4)}")
    await create_topics(topics, kafka)
    upkeep._EVERY_S, upkeep._TRUNCATE_EVERY_S = 0.05, 0.2  # type: ignore[misc] # days pass in seconds here
    with tempfile.TemporaryDirectory(prefix="revocast-year-") as folder:
        async with running(
            kafka, topics, Path(folder), cut_s=plan.step // 2, log_age_s=7 * DAY
        ) as deployment:
            year = Year(deployment, plan)
            async for step in year.run():
                print(f"\rday {(step + 1) * plan.step // DAY}", end="", flush=True)
            return year


def main() -> int:
    """Live through it and print the sizes."""
    parser = argparse.ArgumentParser(prog="python -m tests.integration.year", description=__doc__)
    parser.add_argument("--steps", type=int, default=365, metavar="N", help="steps in the year (365)")
    parser.add_argument("--rows", type=int, default=200, metavar="N", help="tokens revoked a step (200)")
    given = parser.parse_args()
    plan = Plan(365 * DAY // given.steps, given.steps, given.rows, visit=min(Plan.visit, given.steps))
    with running_broker(own=True, progress=print) as broker:
        year = asyncio.run(_live(broker.bootstrap, plan))
    print(
        f"\n{year.revoked} revocations; {year.compared} services compared, byte for byte; {year.lost_cuts} cuts lost"
    )
    print("began from:", dict(year.origins))
    print("visit", *(field.name for field in fields(Sizes)))
    for number, sizes in enumerate(year.sizes, start=1):
        print(number, *asdict(sizes).values())
    return 0


if __name__ == "__main__":
    sys.exit(main())
