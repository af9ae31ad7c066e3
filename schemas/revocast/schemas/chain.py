"""The reader rule of the log: what a reader at n does with the next record it is handed.

* at or below n: a replay, ignored and counted.
* n+1, signed, the right `prev`: applied.
* n+1, signed, another `prev`: ignored, incomplete (fork).
* higher: held; incomplete (gap) if it has not been reached two seconds later.
* unknown kid, or newer key versions named: held until `revocast.keys` was read to an end offset asked afterwards
  (`held_for_keys`, then `settle`), then judged for good. A checkpoint of an unknown kid likewise (`checkpoints_held`,
  `settle_checkpoints`).
* badly signed: rejected. Signed but not understood: incomplete (upgrade needed), unless it says `ignorable`.
* A new epoch begins with its record 1, whose `prev` is the hash of the delegation list that opened it. Its rows replace
  the old table when a record `closes_live_set`; until then a reader is incomplete (epoch) and enforces what it had.

* A reader may begin at a snapshot's place, which brings its table along: the chain goes on from there.

A record that waits blocks none behind it: junk costs a reader one look at the keys topic, never its place in the log. What
is old costs its signature, and is read no further.

What a compromised key said ends with the key: a checkpoint or a fault of a signer that is no longer listed counts no more.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from revocast.schemas.checkpoint import Checkpoint
from revocast.schemas.errors import SchemaError
from revocast.schemas.events import Envelope, Event
from revocast.schemas.record import Position, Record
from revocast.schemas.trust import Trust
from revocast.schemas.verdict import Outcome, Verdict

__all__ = ["MAX_CLOCK_LEAD", "Chain", "Flaw"]

GAP_SECONDS: Final = 2.0
MAX_CLOCK_LEAD: Final = 600
"""A checkpoint more than this many seconds ahead of the own clock is not believed."""
_MAX_AHEAD: Final = 4096
_MAX_UNKNOWN: Final = 1024
# Anyone can fill all of it; a record that found no room is read again.
_MAX_UNKNOWN_BYTES: Final = 8 * 1024 * 1024
# Here, too; the issuer's next checkpoint comes in two seconds.
_MAX_CHECKPOINTS: Final = 1024
_MAX_CHECKPOINT_BYTES: Final = 4096


class Flaw(StrEnum):
    """Why a reader cannot know that it holds the whole state."""

    START = "start"  # no record of the epoch has been applied
    EPOCH = "epoch"  # the epoch's live set is not complete
    GAP = "gap"
    FORK = "fork"
    UPGRADE = "upgrade needed"


@dataclass(frozen=True, slots=True)
class _Ahead:
    record: Record
    kid: str
    hash: bytes
    offset: int


class Chain:
    """One reader's place in the log. `position` continues an earlier run whose table it brings along.

    `position` is of an epoch whose live set was complete. All times are seconds; `now` may be any monotonic clock for
    `receive` and `handle_timer`, and is the wall clock for `receive_checkpoint`.
    """

    def __init__(self, trust: Trust, position: Position | None = None) -> None:
        self.trust = trust
        self.position = position
        self._checkpoint: Checkpoint | None = None
        self._checkpoint_kid = ""
        self._closed = position is not None
        self._ahead: dict[tuple[int, int], _Ahead] = {}
        self._unknown: list[tuple[bytes, int]] = []
        self._unknown_bytes = 0
        self._early: list[tuple[bytes, int]] = []
        self._gap_since: float | None = None
        self._gap_at = (0, 0)
        self._fork = False
        self._misread: set[str] = set()  # whose events were not understood

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The newest that was believed; None: there is none, or its signer was compromised since."""
        return self._checkpoint if self.trust.record_key(self._checkpoint_kid) else None

    @property
    def flaws(self) -> tuple[Flaw, ...]:
        """What stands against being whole; empty: contiguous and understood, as far as it was read."""
        flaws = {
            Flaw.START: self.position is None or self.position.n == 0,
            Flaw.EPOCH: not self._closed or self._behind_epoch(),
            Flaw.GAP: self._place_now < self._gap_at,
            Flaw.FORK: self._fork,
            Flaw.UPGRADE: any(self.trust.record_key(kid) for kid in self._misread),
        }
        return tuple(flaw for flaw, present in flaws.items() if present)

    @property
    def held_for_keys(self) -> int:
        """How many records wait for `revocast.keys` to be read to an end offset asked now; then comes `settle`."""
        return len(self._unknown)

    @property
    def checkpoints_held(self) -> int:
        """How many checkpoints wait as records do; then comes `settle_checkpoints`."""
        return len(self._early)

    @property
    def missing(self) -> int | None:
        """The n that is awaited while later ones are held."""
        return self._place_now[1] + 1 if self._ahead else None

    def begin_at(self, position: Position, now: float) -> list[Verdict]:
        """Go on from `position`, whose whole table the caller holds; the verdicts are of records that were held and follow it.

        What was read before, another history even, counts no more. Raises `SchemaError` unless it lies ahead, in the epoch in force.
        """
        delegations = self.trust.delegations
        if delegations is None or position.epoch != delegations.epoch:
            raise SchemaError("epoch: is not the one in force")
        if (position.epoch, position.n) <= self._place_now:
            raise SchemaError("n: lies behind what has been read")
        self.position, self._closed, self._fork = position, True, False
        if checkpoint := self.checkpoint:
            self._compare(checkpoint)
        verdicts = self._drain()
        self._time_gap(now)
        return verdicts

    def receive(self, value: bytes | None, now: float, offset: int) -> list[Verdict]:
        """Judge one record of the log. More than one verdict comes when it releases records that were held."""
        verdict = self._judge(value, offset, final=False)
        verdicts = [verdict]
        if verdict.outcome is Outcome.APPLIED:
            verdicts += self._drain()
        self._time_gap(now)
        return verdicts

    def settle(self, now: float, count: int | None = None) -> list[Verdict]:
        """Judge for good what waits for keys: they were read to an end offset asked after it arrived.

        `count` is what `held_for_keys` was when the offset was asked; records that came later go on waiting.
        """
        count = len(self._unknown) if count is None else count
        settled, self._unknown = self._unknown[:count], self._unknown[count:]
        self._unknown_bytes = sum(len(value) for value, _ in self._unknown)
        verdicts: list[Verdict] = []
        for value, offset in settled:
            verdicts.append(self._judge(value, offset, final=True))
            if verdicts[-1].outcome is Outcome.APPLIED:
                verdicts += self._drain()
        self._time_gap(now)
        return verdicts

    def handle_timer(self, now: float) -> None:
        """Let time pass: a gap that lasts becomes a flaw."""
        self._time_gap(now)

    def reread(self) -> None:
        """The caller starts to read the log again from its beginning or from n: forget what was held."""
        self._ahead.clear()
        self._unknown.clear()
        self._unknown_bytes = 0
        self._gap_since = None

    def receive_checkpoint(self, value: bytes | None, now: float, offset: int) -> Verdict:
        """Judge one record of `revocast.checkpoints`. `now` is the wall clock."""
        return self._judge_checkpoint(value, now, offset, final=False)

    def settle_checkpoints(self, now: float, count: int | None = None) -> list[Verdict]:
        """As `settle`, for checkpoints; `count` is what `checkpoints_held` was. `now` is the wall clock."""
        count = len(self._early) if count is None else count
        settled, self._early = self._early[:count], self._early[count:]
        return [self._judge_checkpoint(value, now, offset, final=True) for value, offset in settled]

    def _judge_checkpoint(self, value: bytes | None, now: float, offset: int, *, final: bool) -> Verdict:
        if value is None:
            return Verdict(Outcome.REJECTED, offset, "a tombstone has no meaning here")
        try:
            envelope = Envelope.parse(value)
            if self.trust.record_key(envelope.kid) is None:
                reason = "the signing key is not delegated"
                if final or len(self._early) >= _MAX_CHECKPOINTS or len(value) > _MAX_CHECKPOINT_BYTES:
                    return Verdict(Outcome.REJECTED, offset, reason)
                self._early.append((value, offset))
                return Verdict(Outcome.HELD, offset, reason)
            key = self.trust.event_key(envelope.kid)
            if key is None:
                return Verdict(Outcome.REJECTED, offset, "signed by a retired event key")
            if not envelope.verified_by(key):
                return Verdict(Outcome.REJECTED, offset, "the signature does not verify")
            event = envelope.event()
            if event.issuer != self.trust.issuer:
                return Verdict(Outcome.REJECTED, offset, "iss: is not this deployment's issuer")
            if event.topic != Checkpoint.TOPIC:
                return Verdict(Outcome.REJECTED, offset, "aud: the event is for another topic")
            checkpoint = Checkpoint.from_event(event)
        except SchemaError as error:
            return Verdict(Outcome.REJECTED, offset, str(error))
        if checkpoint.t > now + MAX_CLOCK_LEAD:
            return Verdict(Outcome.REJECTED, offset, "more than 10 minutes ahead of this clock")
        newest = self.checkpoint
        if newest and (checkpoint.order <= newest.order or checkpoint.t < newest.t):
            return Verdict(Outcome.REPLAY, offset, "not newer than the newest seen")
        self._checkpoint, self._checkpoint_kid = checkpoint, envelope.kid
        self._compare(checkpoint)
        return Verdict(Outcome.APPLIED, offset)

    def _judge(self, value: bytes | None, offset: int, *, final: bool) -> Verdict:
        if value is None:
            return Verdict(Outcome.REJECTED, offset, "a tombstone has no meaning here")
        try:
            envelope = Envelope.parse(value)
            key = self.trust.record_key(envelope.kid)
            if key is None:
                return self._wait(value, offset, "the signing key is not delegated", final=final)
            if not envelope.verified_by(key):
                return Verdict(Outcome.REJECTED, offset, "the signature does not verify")
        except SchemaError as error:
            return Verdict(Outcome.REJECTED, offset, str(error))
        return self._judge_signed(envelope, value, offset, final=final)

    def _judge_signed(self, envelope: Envelope, value: bytes, offset: int, *, final: bool) -> Verdict:
        try:
            event = envelope.event()
            if event.issuer != self.trust.issuer:
                return Verdict(Outcome.REJECTED, offset, "iss: is not this deployment's issuer")
            if event.topic != Record.TOPIC:
                return Verdict(Outcome.REJECTED, offset, "aud: the event is for another topic")
            if event.type != Record.TYPE and event.ignorable:
                return Verdict(Outcome.IGNORED, offset, f"{event.type} is not understood, and ignorable")
            if self._is_old(envelope.kid, event):
                return Verdict(Outcome.REPLAY, offset, "is of a place that was passed")
            record = Record.from_event(event)
        except SchemaError as error:
            if self.trust.event_key(envelope.kid) is None:
                return Verdict(Outcome.REJECTED, offset, "signed by a retired event key, and not a record")
            self._misread.add(envelope.kid)
            return Verdict(Outcome.UPGRADE, offset, str(error))
        if not self.trust.covers_record(envelope.kid, record.epoch, record.n):
            return Verdict(
                Outcome.REJECTED, offset, "beyond the last record that the retired key is good for"
            )
        versions = self.trust.versions
        if record.delegations > versions[0] or record.key_set > versions[1]:
            return self._wait(value, offset, "names key versions that have not been read", final=final)
        return self._place(record, envelope.kid, envelope.hash, offset)

    def _is_old(self, kid: str, event: Event) -> bool:
        # To read a thousand rows takes ten times as long as to verify them, and anybody can send old records again.
        epoch, n = event.body.get("epoch"), event.body.get("n")
        return (
            event.type == Record.TYPE
            and type(epoch) is int
            and type(n) is int
            and (epoch, n) < self._place_now
            and self.trust.covers_record(kid, epoch, n)
        )

    def _place(self, record: Record, kid: str, record_hash: bytes, offset: int) -> Verdict:
        position = self._position_for(record)
        if position is None or (record.epoch, record.n) <= (position.epoch, position.n):
            if (
                position
                and record.n == position.n
                and record.epoch == position.epoch
                and record_hash != position.hash
            ):
                if self.trust.event_key(kid) is None:
                    return Verdict(Outcome.REJECTED, offset, "a retired key rewrites what it signed")
                self._fork = True
                return Verdict(Outcome.FORK, offset, f"another record {record.n} than the one applied")
            return Verdict(Outcome.REPLAY, offset, f"record {record.epoch}/{record.n} is not new")
        if record.n > position.n + 1:
            if len(self._ahead) < _MAX_AHEAD:
                self._ahead.setdefault((record.epoch, record.n), _Ahead(record, kid, record_hash, offset))
            return Verdict(Outcome.HELD, offset, f"record {position.n + 1} has not arrived")
        if record.prev != position.hash:
            self._fork = True
            return Verdict(Outcome.FORK, offset, f"record {record.n} follows another history")
        if record.t < position.t:
            self._misread.add(kid)
            return Verdict(Outcome.UPGRADE, offset, f"t: record {record.n} goes back in time")
        if record.epoch != (self.position.epoch if self.position else 0):
            self._closed = False
        self._closed = self._closed or record.closes_live_set
        self.position = position.after(record, record_hash)
        if checkpoint := self.checkpoint:
            self._compare(checkpoint)
        return Verdict(Outcome.APPLIED, offset, "", record, record_hash)

    def _position_for(self, record: Record) -> Position | None:
        """Where the record would have to fit on; None: its epoch is over, or was never opened."""
        current = self.position
        delegations = self.trust.delegations
        if current is not None and record.epoch == current.epoch:
            return current
        if (
            delegations is None
            or record.epoch != delegations.epoch
            or (current and record.epoch < current.epoch)
        ):
            return None
        return Position.opening(record.epoch, self.trust.openers[record.epoch])

    def _drain(self) -> list[Verdict]:
        verdicts: list[Verdict] = []
        while held := self._ahead.pop((self._place_now[0], self._place_now[1] + 1), None):
            verdicts.append(self._place(held.record, held.kid, held.hash, held.offset))
        self._ahead = {place: held for place, held in self._ahead.items() if place > self._place_now}
        return verdicts

    def _wait(self, value: bytes, offset: int, reason: str, *, final: bool) -> Verdict:
        full = len(self._unknown) >= _MAX_UNKNOWN or self._unknown_bytes + len(value) > _MAX_UNKNOWN_BYTES
        if final or full:
            return Verdict(Outcome.REJECTED, offset, reason)
        self._unknown.append((value, offset))
        self._unknown_bytes += len(value)
        return Verdict(Outcome.HELD, offset, reason)

    def _time_gap(self, now: float) -> None:
        if not self._ahead:
            self._gap_since = None
        elif self._gap_since is None:
            self._gap_since = now
        elif now - self._gap_since >= GAP_SECONDS:
            # Stays until the log was followed past it: a re-read begins without anything held.
            self._gap_at = min(self._ahead)

    @property
    def _place_now(self) -> tuple[int, int]:
        return (self.position.epoch, self.position.n) if self.position else (0, 0)

    def _compare(self, checkpoint: Checkpoint) -> None:
        # The issuer's own word on which history is the right one.
        position = self.position
        if position and (checkpoint.epoch, checkpoint.n) == (position.epoch, position.n):
            self._fork = checkpoint.hash != position.hash

    def _behind_epoch(self) -> bool:
        delegations = self.trust.delegations
        return bool(delegations and self.position and self.position.epoch < delegations.epoch)
