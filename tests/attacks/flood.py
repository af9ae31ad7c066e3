"""The flood of hostile records on a real Kafka: guard, streams worker and relay take it, and go on."""

import asyncio
import time

from revocast.sdk.freshness import Topic
from tests.attacks.attacker import Attacker
from tests.attacks.deployment import Deployment

__all__ = ["flood"]

_PIPELINED = 500


async def flood(deployment: Deployment, records: int) -> list[str]:
    """Send them, revoke in between, and wait until everybody agrees. What it took, a sentence a line.

    Raises `AssertionError` when a table is not the issuer's, and when somebody does not go on.
    """
    for number in range(20):
        deployment.block(f"before-{number}")
    await deployment.agree()
    attacker = Attacker(await deployment.genuine())
    start, sent = time.perf_counter(), []
    for number, shot in enumerate(attacker.shots(records)):
        topic, key = deployment.name(shot.topic), shot.key
        if shot.topic is Topic.CHECKPOINTS or shot.value is None:
            key = (
                key or b""
            )  # a compacted topic takes no record without a key, and aiokafka none with nothing
        sent.append(
            await deployment.others.send(topic, shot.value, key=key, partition=0, headers=list(shot.headers))
        )
        if len(sent) == _PIPELINED:
            await asyncio.gather(*sent)
            sent.clear()
            deployment.block(f"during-{number}")
    await asyncio.gather(*sent)
    written = time.perf_counter() - start
    await deployment.go_on("after")
    agreed = time.perf_counter() - start - written
    relay = deployment.publication.relay
    assert relay.state == "publishing", relay
    counters = deployment.guard.health().counters
    rejected = sum(counters.get(f"{topic}.rejected", 0) for topic in Topic)
    start = time.perf_counter()
    async with deployment.new_guard(f"late-{records}", startup_timeout=60) as late:
        assert late.table()[1] == deployment.table()[1]
    began = time.perf_counter() - start
    return [
        f"Real Kafka, {records} hostile records, written in {written:.1f} s with revocations in between:",
        f"  guard, streams worker and issuer agree on every byte {agreed:.1f} s later; the relay publishes",
        f"  the guard counted {rejected} as rejected; a guard that starts after all that is ready in {began:.1f} s",
    ]
