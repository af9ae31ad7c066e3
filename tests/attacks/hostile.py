"""A flood of hostile records against the real readers: it changes no byte of a table, stops nobody, and has its price.

    python -m tests.attacks.hostile --records 100000 --kafka 5000

First a guard's core in this process reads all of them, genuine records in between, and what each kind cost is printed beside
a genuine record. Then a running guard, a streams worker and the issuer's relay take a part of them on a real Kafka.
"""

import argparse
import asyncio
import resource
import sys
import tempfile
import time
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from revocast.dev.broker import running_broker
from revocast.sdk.core import GuardCore, Received
from revocast.sdk.freshness import State, Topic
from revocast.testing import Authority, Delivery, core_for
from tests.attacks.attacker import Attacker

__all__ = ["Price", "flood_a_guard", "issuer_with_a_past"]

_QUESTION_EVERY = 200
"""Records between two questions for the end of the keys topic, while something waits: a round trip's worth."""


@dataclass
class Price:
    """What the records cost one guard: seconds and counts by kind, and the most bytes that waited for keys."""

    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    counts: Counter[str] = field(default_factory=Counter)
    held: int = 0

    @property
    def hostile(self) -> float:
        """Seconds that all hostile records cost."""
        return sum(seconds for kind, seconds in self.seconds.items() if not kind.startswith("genuine"))

    def each(self, kind: str) -> float:
        """Seconds that one record of a kind cost."""
        return self.seconds[kind] / self.counts[kind]

    def lines(self) -> Iterator[str]:
        """For people."""
        for kind, count in self.counts.most_common():
            yield f"  {kind:36} {count:7}  {self.each(kind) * 1e6:8.0f} µs each  {self.seconds[kind]:7.2f} s"


def issuer_with_a_past() -> tuple[Authority, Attacker]:
    """Root, event and token keys were rotated, one event key was compromised; and an attacker who stole the old ones."""
    issuer = Authority(claims=("tenant",))
    retired = issuer.event_key
    issuer.rotate_root()
    issuer.rotate("ES256")
    for number in range(50):
        issuer.block(issuer.subject(f"user-{number}"))
    issuer.rotate_event_key()
    compromised = issuer.event_key
    issuer.append([issuer.block_row(issuer.subject(f"many-{number}")) for number in range(1000)])
    issuer.lift(issuer.subject("user-1"))
    issuer.new_epoch()
    for number in range(50):
        issuer.cutoff(issuer.session(f"session-{number}"))
        issuer.advance(2)
    logs = {Topic.KEYS: issuer.keys, Topic.LOG: issuer.log, Topic.CHECKPOINTS: issuer.checkpoints}
    genuine = {topic: [message.value for message in log if message.value] for topic, log in logs.items()}
    return issuer, Attacker(genuine, [retired, compromised, issuer.active])


def flood_a_guard(records: int, genuine_every: int = 1000) -> Price:
    """Feed one core, a genuine record after every so many; raises `AssertionError` when a byte of its table is not the issuer's, or it is not ready."""
    issuer, attacker = issuer_with_a_past()
    core = core_for(issuer)
    delivery = Delivery(issuer, core)
    delivery.deliver()
    price, offset = Price(), 1_000_000
    for number, shot in enumerate(attacker.shots(records)):
        offset += 1
        start = time.perf_counter()
        core.receive(shot.topic, [Received(offset, shot.value)], delivery.now)
        if core.wants_keys and number % _QUESTION_EVERY == 0:
            price.held = max(price.held, _held(core))
            core.caught_up(Topic.KEYS, core.ask(delivery.now), delivery.now)
        price.seconds[shot.kind] += time.perf_counter() - start
        price.counts[shot.kind] += 1
        if number % genuine_every == 0:
            _genuine(issuer, delivery, price, rows=1000 if number % (10 * genuine_every) == 0 else 1)
    _genuine(issuer, delivery, price, rows=1)
    return price


def _genuine(issuer: Authority, delivery: Delivery, price: Price, rows: int) -> None:
    core, kind = delivery.core, f"genuine, {rows} rows"
    n = issuer.position.n
    issuer.append([issuer.block_row(issuer.subject(f"flood-{n}-{row}")) for row in range(rows)])
    start = time.perf_counter()
    delivery.feed(Topic.LOG)
    price.seconds[kind] += time.perf_counter() - start
    price.counts[kind] += 1
    issuer.advance(1)
    delivery.deliver()
    assert core.table() == (issuer.position, issuer.table.pack()), "the table is the issuer's"
    assert core.state is State.READY, core.freshness.reason


def _held(core: GuardCore) -> int:
    chain, trust = core.chain, core.trust
    return sum(len(value) for value, _ in [*chain._unknown, *chain._early, *trust._waiting])


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.attacks.hostile", description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--kafka", type=int, default=5_000, help="how many of them go to a real Kafka")
    asked = parser.parse_args()
    tracemalloc.start()
    traced = flood_a_guard(min(asked.records, 5_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    before, start = _megabytes(), time.perf_counter()
    price = flood_a_guard(asked.records)
    print(f"A guard's core, {asked.records} hostile records, genuine ones in between:")
    print("\n".join(price.lines()))
    print(f"  all of it: {time.perf_counter() - start:.1f} s; hostile: {price.hostile:.1f} s,")
    print(
        f"  {price.hostile / asked.records * 1e6:.0f} µs a record; its table is the issuer's, byte for byte"
    )
    print(f"  held for keys at most {max(price.held, traced.held) / 1e6:.1f} MB; whole process +", end="")
    print(
        f"{_megabytes() - before:.0f} MB; {peak / 1e6:.0f} MB at the peak of 5,000 records, attacker included"
    )
    if asked.kafka:
        from tests.attacks.deployment import deployed
        from tests.attacks.flood import flood

        async def on_kafka() -> list[str]:
            with running_broker() as broker, tempfile.TemporaryDirectory() as folder:
                async with deployed(broker.bootstrap, "hostile", Path(folder)) as deployment:
                    return await flood(deployment, asked.kafka)

        print("\n".join(asyncio.run(on_kafka())))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
