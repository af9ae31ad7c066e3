"""An issuer process to be killed: `python -m tests.issuer.core.issuer_process HOME KAFKA PREFIX [--revoke N] [--relay [--lead]]`.

It prints a line for each thing done, so that whoever kills it knows what was acknowledged.
"""

import argparse
import asyncio
import sys
from pathlib import Path

from revocast.issuer.authority.revocations import Revocation
from revocast.issuer.bootstrap import Home
from revocast.issuer.keystore import SealedKeys
from revocast.issuer.publication import Publication
from revocast.issuer.relay import Relay
from revocast.issuer.service import Service
from revocast.issuer.storage import Storage
from revocast.schemas.row import Slot
from revocast.schemas.selector import Selector
from revocast.schemas.settings import KafkaSettings
from tests.issuer.core.reader import until


async def run(arguments: argparse.Namespace) -> None:
    home = Home(arguments.home)
    storage = Storage(arguments.database or home.database_url)
    keystore, publication = SealedKeys.from_file(home.master_key), Publication()
    service = Service(storage, keystore, publication)
    relay = Relay(
        storage, keystore, publication, KafkaSettings(kafka=arguments.kafka, prefix=arguments.prefix)
    )
    if arguments.relay:
        await relay.start()
        if arguments.lead:
            await until(lambda: publication.relay.state == "publishing", "it publishes")
        print("started", flush=True)
    for number in range(arguments.revoke):
        revocation = Revocation(Selector.subject(service.issuer, f"user-{number}"), Slot.BLOCK)
        receipt = service.revoke([revocation], [], actor="alice", reason="")
        answer = await service.published(receipt, 0.3 if arguments.revoke == 1 else 0)
        print(answer, receipt.n, flush=True)
    await asyncio.Event().wait()


async def issuer_process(
    home: Path, settings: KafkaSettings, *options: str, database: str | None = None
) -> asyncio.subprocess.Process:
    """Start one; its standard output is a pipe."""
    command = [sys.executable, "-m", "tests.issuer.core.issuer_process", str(home)]
    command += [settings.kafka, settings.prefix, *options]
    if database is not None:
        command += ["--database", database]
    return await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("kafka")
    parser.add_argument("prefix")
    parser.add_argument("--database")
    parser.add_argument("--revoke", type=int, default=0)
    parser.add_argument("--relay", action="store_true")
    parser.add_argument("--lead", action="store_true", help="start only when the relay publishes")
    asyncio.run(run(parser.parse_args()))
