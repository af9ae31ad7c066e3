"""What a restored database lacks of the log, judged by the reader's own rules (`Trust`, `Chain`) from its last signed record.

* What follows the database's last signed record is taken in, in order: it is the history that every reader holds.
* A signed record that the database has otherwise, or that does not follow, is **foreign**: two authorities wrote, or records
  between are lost. It is never resolved here; a new epoch is the answer.
* Where the log was truncated beyond the database, it begins from a countersigned snapshot instead: `anchor` is the snapshot's
  own record, which is on the log. What the log still has from before it is in the snapshot.
* What is foreign and was joined into the database by an earlier run is known.
* Anything else on the topic is junk. So is what a retired key rewrites of a place that the log has passed, as for the relay.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from revocast.issuer.errors import LogMismatch
from revocast.schemas.chain import Chain
from revocast.schemas.errors import SchemaError
from revocast.schemas.events import Envelope
from revocast.schemas.record import Position, Record
from revocast.schemas.trust import Trust
from revocast.schemas.verdict import Outcome, Verdict

__all__ = ["LogReview", "Place", "Signed", "believed"]

Place = tuple[int, int]
"""(epoch, n)."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed record of the topic: its bytes, and where they lie."""

    record: Record
    hash: bytes
    kid: str
    compact: bytes
    offset: int

    @property
    def place(self) -> Place:
        """(epoch, n)."""
        return self.record.epoch, self.record.n

    @classmethod
    def read(cls, compact: bytes, offset: int) -> "Signed":
        """Of bytes that a `Chain` has verified. Raises `SchemaError`."""
        envelope = Envelope.parse(compact)
        return cls(Record.from_event(envelope.event()), envelope.hash, envelope.kid, compact, offset)


def believed(value: bytes | None, offset: int, trust: Trust) -> Signed | None:
    """A record of the log as a reader would believe it, wherever it stands; None: it is junk."""
    try:
        envelope = Envelope.parse(value or b"")
        key = trust.record_key(envelope.kid)
        if key is None or not envelope.verified_by(key):
            return None
        event = envelope.event()
        if event.issuer != trust.issuer or event.topic != Record.TOPIC:
            return None
        found = Signed.read(value or b"", offset)
    except SchemaError:
        return None
    return found if trust.covers_record(found.kid, *found.place) else None


class LogReview:
    """Reads the topic from its first record. `trust` has read `revocast.keys` to its end.

    `signed` is the database's last signed record, `stored` the hash that it has at a place, `joined` the hashes of the
    foreign records that it took in earlier. `snapshot`: where the table of a countersigned snapshot stands, which is believed
    in the place of what the database has.
    """

    def __init__(
        self,
        trust: Trust,
        signed: Position,
        stored: Callable[[Place], bytes | None],
        joined: Collection[bytes] = (),
        *,
        snapshot: Position | None = None,
    ) -> None:
        self._chain = Chain(trust, snapshot or signed)
        self._start = snapshot or signed
        self._snapshot = snapshot
        self.anchor: Signed | None = None
        """The snapshot's own record, once it was read."""
        self._stored = stored
        self._joined = joined
        self._confirmed = 0
        self._held: dict[int, bytes] = {}
        self._taken: dict[Place, bytes] = {}
        self._foreign: dict[bytes, Signed] = {}

    @property
    def position(self) -> Position:
        """The end of what follows the database's last signed record."""
        return self._chain.position or self._start

    @property
    def foreign(self) -> list[Signed]:
        """What the database has otherwise, or has no place for."""
        return sorted(self._foreign.values(), key=lambda each: (each.place, each.offset))

    @property
    def missing(self) -> tuple[Place, Place] | None:
        """The first and last record that are nowhere: neither in the database nor on the topic, though later ones are."""
        epoch, n = self.position.epoch, self.position.n
        later = [each.record.n for each in self.foreign if each.record.epoch == epoch and each.record.n > n]
        return ((epoch, n + 1), (epoch, min(later) - 1)) if later and min(later) > n + 1 else None

    def confirm(self, n: int) -> None:
        """The next record of the topic is the stored one with this number, byte for byte."""
        if self._confirmed in (0, n - 1):  # a truncated log begins where it begins
            self._confirmed = n

    def receive(self, value: bytes | None, offset: int) -> list[Signed]:
        """Judge one record; what is to be taken in now, in order. Raises `LogMismatch` when a newer release wrote it."""
        if value is not None:
            self._held[offset] = value
        return self._sort(self._chain.receive(value, 0, offset))

    def settle(self) -> list[Signed]:
        """The topic was read to its end: what waits for a key, or for a record before it, waits no longer."""
        taken = self._sort(self._chain.settle(0))
        held, self._held = self._held, {}
        for offset, value in held.items():
            self._judge(value, offset)
        return taken

    def _sort(self, verdicts: Iterable[Verdict]) -> list[Signed]:
        taken = []
        for verdict in verdicts:
            if verdict.outcome is Outcome.HELD:
                continue
            value = self._held.pop(verdict.offset, b"")
            if verdict.outcome is Outcome.UPGRADE:
                raise LogMismatch(
                    f"offset {verdict.offset}: signed by an event key of ours and not understood; run the newer "
                    "release of the issuer that wrote it"
                )
            if verdict.outcome is Outcome.APPLIED:
                each = Signed.read(value, verdict.offset)
                self._taken[each.place] = each.hash
                taken.append(each)
            elif verdict.outcome in (Outcome.REPLAY, Outcome.FORK):
                self._judge(value, verdict.offset)
        return taken

    def _judge(self, value: bytes, offset: int) -> None:
        """A signed record that is not the next one: known, or foreign."""
        try:
            each = Signed.read(value, offset)
        except SchemaError:
            return
        if self._snapshot is not None:
            place = (self._snapshot.epoch, self._snapshot.n)
            if each.place == place and each.hash == self._snapshot.hash:
                self.anchor = self.anchor or each
                return
            if each.place < place:
                return
        retired = self._chain.trust.event_key(each.kid) is None
        if retired and (each.place in self._taken or each.place <= (self._start.epoch, self._confirmed)):
            return
        known = (self._taken.get(each.place), self._stored(each.place))
        if each.hash not in known and each.hash not in self._joined:
            self._foreign[each.hash] = each
