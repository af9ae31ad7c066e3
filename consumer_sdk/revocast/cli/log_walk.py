"""Walking the whole log with the readers' own rule, and saying whether it is whole. No I/O.

Feed it `revocast.keys` to its end first, then the log, then the checkpoints, and where `begins` says so the snapshots; then
`finish`.

A log that was truncated begins with the record of a cut. The walk begins there: what was before it is in a snapshot that both
sides signed, or the log is not whole. The table cannot be told from such a log alone.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from revocast.schemas.chain import GAP_SECONDS, Chain
from revocast.schemas.errors import SchemaError
from revocast.schemas.events import Envelope
from revocast.schemas.record import Position, Record
from revocast.schemas.snapshot import read_countersigned
from revocast.schemas.table import Table
from revocast.schemas.trust import Trust
from revocast.schemas.verdict import Outcome, Verdict

__all__ = ["LogWalk"]


@dataclass
class LogWalk:
    """One reader's walk under a root, `pinned` or taken on first use. `oddities` are the records that were neither applied nor mere replays."""

    issuer: str
    root: str
    pinned: bool = True
    table: Table = field(default_factory=Table)
    counts: Counter[Outcome] = field(default_factory=Counter)
    oddities: list[tuple[str, Verdict]] = field(default_factory=list)
    signers: dict[str, int] = field(default_factory=dict)
    begins: tuple[int, int] | None = None
    """(epoch, n) of the first record, where that is not record 1."""
    snapshot: tuple[int, int] | None = None
    """(epoch, n) of the newest countersigned snapshot that was seen."""

    def __post_init__(self) -> None:
        self.trust = Trust(self.issuer, self.root)
        self.chain = Chain(self.trust)
        self._epoch = 0
        self._begun = False

    def receive_key(self, value: bytes | None, offset: int) -> None:
        """One record of `revocast.keys`."""
        for verdict in self.trust.receive(value, offset):
            self._note("keys", verdict)

    def receive_record(self, value: bytes | None, offset: int) -> Iterator[Verdict]:
        """One record of `revocast.revocations`: the final verdicts that it brings."""
        if not self._begun and value is not None:
            self._begin(value)
        for verdict in self.chain.receive(value, 0.0, offset):
            self._apply(verdict)
            if value is not None and verdict.outcome is Outcome.APPLIED and verdict.offset == offset:
                kid = Envelope.parse(value).kid
                self.signers[kid] = self.signers.get(kid, 0) + 1
            if verdict.outcome is not Outcome.HELD:
                yield verdict

    def receive_checkpoint(self, value: bytes | None, now: float, offset: int) -> None:
        """One record of `revocast.checkpoints`; `now` is the wall clock."""
        self._note("checkpoints", self.chain.receive_checkpoint(value, now, offset))

    def receive_snapshot(self, value: bytes | None) -> None:
        """One record of `revocast.snapshots`."""
        try:
            manifest = read_countersigned(value or b"", self.trust)
        except SchemaError:
            return
        self.snapshot = max(self.snapshot or (0, 0), (manifest.epoch, manifest.n))

    def settle_keys(self) -> None:
        """`revocast.keys` was read to its end."""
        for verdict in self.trust.settle():
            self._note("keys", verdict)

    def finish(self) -> Iterator[Verdict]:
        """Everything was read: judge for good what was held. A gap is now one."""
        for verdict in self.chain.settle(0.0):
            self._apply(verdict)
            yield verdict
        self.chain.handle_timer(GAP_SECONDS)

    @property
    def problem(self) -> str | None:
        """Where and why the log is not whole; None: it is."""
        chain, position = self.chain, self.chain.position
        if self.trust.delegations is None:
            return "there is no delegation list under this root"
        if self.trust.key_set is None:
            return "there is no key set that this root stands behind"
        place = (
            f"after record {position.n} of epoch {position.epoch}" if position else "before its first record"
        )
        if self.begins and not self.table_known and (self.snapshot or (0, 0)) < self.begins:
            return (
                f"begins with record {self.begins[1]} of epoch {self.begins[0]}, and no countersigned snapshot holds what was "
                "before it"
            )
        if chain.missing is not None:
            return f"breaks {place}: record {chain.missing} is missing and later ones are there"
        if chain.flaws:
            return f"breaks {place}: {', '.join(chain.flaws)}"
        checkpoint = chain.checkpoint
        if checkpoint and position and (checkpoint.epoch, checkpoint.n) > (position.epoch, position.n):
            return (
                f"ends {place}; the newest checkpoint knows record {checkpoint.n} of epoch {checkpoint.epoch}"
            )
        return None

    @property
    def table_known(self) -> bool:
        """Whether the records alone make the table: they do from record 1 of an epoch on."""
        return self.begins is None or self._epoch > self.begins[0]

    def _begin(self, value: bytes) -> None:
        """The first record that a reader believes is where the log begins: with 1, or with a cut behind which it was truncated."""
        try:
            envelope = Envelope.parse(value)
            key = self.trust.record_key(envelope.kid)
            if key is None or not envelope.verified_by(key):
                return
            record = Record.from_event(envelope.event())
        except SchemaError:
            return
        self._begun = self.trust.covers_record(envelope.kid, record.epoch, record.n)
        if self._begun and record.cut and record.n > 1:
            self.begins = record.epoch, record.n
            self._epoch = record.epoch
            self.chain = Chain(self.trust, Position(record.epoch, record.n - 1, record.prev, record.t))

    def _apply(self, verdict: Verdict) -> None:
        self._note("revocations", verdict)
        record = verdict.record
        if record is None:
            return
        if record.epoch != self._epoch:  # a new epoch re-issues its whole live set
            self._epoch, self.table = record.epoch, Table()
        self.table.apply(record.rows, record.t)

    def _note(self, topic: str, verdict: Verdict) -> None:
        if verdict.outcome is Outcome.HELD:
            return
        self.counts[verdict.outcome] += 1
        if verdict.outcome not in (Outcome.APPLIED, Outcome.REPLAY):
            self.oddities.append((topic, verdict))
