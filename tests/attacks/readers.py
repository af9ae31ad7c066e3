"""The readers of the control topics side by side, without Kafka: a guard's core, and what a streams worker decides.

Both read the three logs of one in-memory issuer, as their connected followers do. `attack` writes to a topic as anybody can
who has write access to Kafka; `untouched` proves that it changed nothing.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from revocast.schemas.chain import Chain
from revocast.schemas.trust import Trust
from revocast.schemas.verdict import Outcome, Verdict
from revocast.sdk.freshness import State, Topic
from revocast.streams.follower import Follower, Judged
from revocast.testing import Authority, Delivery, Message, core_for
from tests.streams.shards import Shards

__all__ = ["GuardReader", "Readers", "StreamsReader"]

JUNK_KEY = b"anything"


class GuardReader:
    """A guard's core behind an in-memory follower."""

    def __init__(self, authority: Authority) -> None:
        self.core = core_for(authority)
        self.delivery = Delivery(authority, self.core)

    def deliver(self) -> list[Verdict]:
        """Read every topic to its end."""
        return self.delivery.deliver()

    def rejected(self, topic: Topic) -> int:
        """How many records of a topic were counted as rejected."""
        return self.core.counters[f"{topic}.rejected"]

    @property
    def state(self) -> dict[str, Any]:
        """All that a record may change."""
        position, table = self.core.table()
        trust, chain = self.core.trust, self.core.chain
        return {
            "table": table,
            "enforced at": position,
            "position": chain.position,
            "versions": trust.versions,
            "keys": trust.key_set,
            "list": trust.delegations,
            "checkpoint": chain.checkpoint,
            "state": self.core.state,
        }


class StreamsReader:
    """What the control reader, the chain agent and the shards of a worker decide; Kafka and Faust only carry it."""

    def __init__(self, authority: Authority) -> None:
        self.trust = Trust(authority.issuer, authority.pin)
        self.follower = Follower(self.trust, None)
        self.control = Chain(self.trust)
        self.shards = Shards()
        self.outcomes: Counter[tuple[Topic, Outcome]] = Counter()
        self._authority = authority
        self._read = dict.fromkeys(Topic, 0)

    def deliver(self) -> list[Verdict]:
        """Read every topic to its end."""
        verdicts: list[Verdict] = []
        for topic, judge in (
            (Topic.KEYS, lambda value, offset: self.trust.receive(value, offset)),
            (Topic.LOG, self._judge_record),
            (Topic.CHECKPOINTS, self._judge_checkpoint),
        ):
            for message in self._new(topic):
                verdicts += self._counted(topic, judge(message.value, message.offset))
        verdicts += self._counted(Topic.KEYS, self.trust.settle())
        held = self.follower.chain.held_for_keys
        verdicts += self._counted(Topic.LOG, self._taken(self.follower.settle(self._now, held)))
        verdicts += self._counted(Topic.CHECKPOINTS, self.control.settle_checkpoints(self._now))
        return verdicts

    def reread(self) -> list[Verdict]:
        """Read the log again after the last record that fitted, as a gap makes the chain agent do."""
        self.follower.rewind(whole=False)
        self._read[Topic.LOG] = self.follower.next_offset
        return self.deliver()

    def rejected(self, topic: Topic) -> int:
        """How many records of a topic were counted as rejected."""
        return self.outcomes[topic, Outcome.REJECTED]

    @property
    def state(self) -> dict[str, Any]:
        """All that a record may change."""
        mark = self.follower.mark
        return {
            "table": self.shards.table(mark) if mark and not self.shards.shards[0].building else None,
            "stored": dict(self.shards.store),
            "position": self.follower.chain.position,
            "versions": self.trust.versions,
            "keys": self.trust.key_set,
            "list": self.trust.delegations,
            "checkpoint": self.control.checkpoint,
        }

    def _judge_record(self, value: bytes | None, offset: int) -> list[Verdict]:
        return self._taken(self.follower.receive(value, self._now, offset))

    def _judge_checkpoint(self, value: bytes | None, offset: int) -> list[Verdict]:
        return [self.control.receive_checkpoint(value, self._now, offset)]

    def _taken(self, judged: Judged) -> list[Verdict]:
        self.shards.receive_all(judged.frames)
        return judged.verdicts

    def _counted(self, topic: Topic, verdicts: list[Verdict]) -> list[Verdict]:
        self.outcomes.update((topic, verdict.outcome) for verdict in verdicts)
        return verdicts

    def _new(self, topic: Topic) -> list[Message]:
        logs = {
            Topic.KEYS: self._authority.keys,
            Topic.LOG: self._authority.log,
            Topic.CHECKPOINTS: self._authority.checkpoints,
        }
        messages = logs[topic].since(self._read[topic])
        if messages:
            self._read[topic] = messages[-1].offset + 1
        return messages

    @property
    def _now(self) -> float:
        return float(self._authority.now)


class Readers:
    """Both readers of one issuer, `current` unless something stands against it."""

    def __init__(self, authority: Authority, *, current: bool = True) -> None:
        self.authority = authority
        self.guard = GuardReader(self.authority)
        self.streams = StreamsReader(self.authority)
        self.logs = self.guard.delivery.logs
        self.deliver()
        assert (self.guard.core.state is State.READY) is current

    @property
    def both(self) -> list[GuardReader | StreamsReader]:
        """To say the same of each."""
        return [self.guard, self.streams]

    def deliver(self) -> list[list[Verdict]]:
        """Let both read to the end."""
        return [reader.deliver() for reader in self.both]

    def attack(self, topic: Topic, *values: bytes | None) -> list[Verdict]:
        """Write to a topic, let both read, and answer what the guard made of it for good."""
        offsets = {self.logs[topic].append(JUNK_KEY, value).offset for value in values}
        verdicts, _ = self.deliver()
        final = [verdict for verdict in verdicts if verdict.outcome is not Outcome.HELD]
        assert {verdict.offset for verdict in final} >= offsets, "each has one final verdict"
        return final

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """What happens inside changes nothing in either reader, now or when genuine records follow."""
        before = [reader.state for reader in self.both]
        yield
        self.deliver()
        for was, reader in zip(before, self.both, strict=True):
            now = reader.state
            assert {name for name in was if was[name] != now[name]} == set()
        self.go_on()

    def go_on(self) -> None:
        """One more genuine record, and everyone holds the issuer's table."""
        self.authority.block(self.authority.subject(f"later-{self.authority.position.n}"))
        self.authority.advance(1)
        self.deliver()
        self.agree()

    def agree(self) -> None:
        """Both hold the issuer's bytes at the issuer's place, and the guard judges tokens."""
        expected = self.authority.table.pack()
        for reader in self.both:
            assert reader.state["table"] == expected
            assert reader.state["position"] == self.authority.position
        assert self.guard.core.state is State.READY, self.guard.core.freshness.reason

    def rejections(self, topic: Topic) -> list[int]:
        """By reader: how many records of the topic it has counted as rejected."""
        return [reader.rejected(topic) for reader in self.both]

    def restarted(self, *, current: bool = True) -> "Readers":
        """New readers that read everything from the beginning, what was injected included."""
        return Readers(self.authority, current=current)
