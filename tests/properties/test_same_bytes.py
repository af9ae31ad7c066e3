"""For any history of revokes, lifts, expiries, duplicates, replays, reorderings and crashes: issuer, streams and guard hold the
same bytes at the same n, and these are the model's.

The issuer is the real one on a real database; the guard's core and the streams' shards are the real ones, fed by hand. What
Kafka does in between is tested on Kafka (tests/integration).
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from revocast.issuer.authority.revocations import Lift, Revocation
from revocast.issuer.bootstrap import Home, Plan, init
from revocast.issuer.keystore import SealedKeys
from revocast.issuer.publication import Publication
from revocast.issuer.revoking import RevocationDesk
from revocast.issuer.storage import Storage
from revocast.issuer.storage.deployment import load_terms
from revocast.issuer.storage.log import head_of, packed_table, position_of
from revocast.issuer.storage.publishing import sign_records
from revocast.issuer.storage.signing_keys import all_documents
from revocast.schemas.chain import Chain
from revocast.schemas.record import Position
from revocast.schemas.row import NEVER, Row, Slot, unpack_rows
from revocast.schemas.selector import Selector
from revocast.schemas.topics import FRAME_PARTITIONS
from revocast.schemas.trust import Trust
from revocast.sdk.clock import Instant
from revocast.sdk.core import GuardCore, Received
from revocast.sdk.freshness import Topic
from revocast.sdk.profile import Profile
from revocast.streams.frames import Frame, Mark, frames_of
from tests.streams.shards import Shards

ISSUER = "https://issuer.test"
START = 1_800_000_000
SELECTORS = (
    Selector.subject(ISSUER, "alice"),
    Selector.subject(ISSUER, "bob"),
    Selector.client(ISSUER, "app"),
    Selector.session(ISSUER, "s-1"),
    Selector.token(ISSUER, "t-1"),
    Selector.claim(ISSUER, "tenant", "acme"),
)


@pytest.fixture(scope="module")
def pristine() -> Iterator[Path]:
    """A fresh authority's folder, made once: `init` hashes a secret, which is slow on purpose."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        init(home, Plan(ISSUER, claims=("tenant",), alg="EdDSA"), clock=lambda: START)
        yield home.folder


class History(RuleBasedStateMachine):
    """`values` is what the relay published, in order; each reader has read any prefix of it, and anything again."""

    pristine: Path
    storage: Storage

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        shutil.copytree(self.pristine, self.folder / "home")
        self.home = Home(self.folder / "home")
        self.now = START
        self.model: dict[tuple[bytes, int, int], tuple[int, int]] = {}
        self.values: list[bytes] = []
        self.keystore = SealedKeys.from_text(self.home.master_key.read_text())
        self.restart_issuer()
        with self.storage.read() as session:
            self.terms = load_terms(session)
            self.documents = [document.compact for document in all_documents(session)]
        self.streams = Shards()
        self.frames: list[list[Frame]] = []
        self.restart_guard()

    @rule()
    def restart_issuer(self) -> None:
        if hasattr(self, "storage"):
            self.storage.close()
        self.storage = Storage(self.home.database_url)
        self.desk = RevocationDesk(self.storage, Publication(), lambda: float(self.now))

    @rule()
    def restart_guard(self) -> None:
        self.guard = GuardCore(
            issuer=ISSUER, root=self.terms.root, profile=Profile("orders", frozenset({ISSUER}))
        )
        self.feed(Topic.KEYS, *self.documents)
        self.read = 0

    @rule()
    def restart_streams(self) -> None:
        self.streams.crash()

    @rule(seconds=st.sampled_from([-100, -1, 1, 50, 150, 4000]))
    def move_the_issuers_clock(self, seconds: int) -> None:
        self.now += seconds

    @rule(
        asked=st.lists(
            st.tuples(
                st.sampled_from(SELECTORS),
                st.sampled_from(list(Slot)),
                st.sampled_from(["lift", "default", "short", "never"]),
            ),
            min_size=1,
            max_size=4,
        )
    )
    def write(self, asked: list[tuple[Selector, Slot, str]]) -> None:
        revocations = [
            Revocation(selector, slot, expires_at=self.expiry(slot, life))
            for selector, slot, life in asked
            if life != "lift"
        ]
        lifts = [Lift(selector, slot) for selector, slot, life in asked if life == "lift"]
        receipt = self.desk.revoke(revocations, lifts, actor="test", reason="history")
        if receipt.changed:
            self.apply_to_model([written.row for written in receipt.rows], receipt.t)

    def expiry(self, slot: Slot, life: str) -> int | None:
        if life == "short" and slot is Slot.BLOCK:
            return self.now + 100
        return NEVER if life == "never" else None

    @rule()
    def let_go(self) -> None:
        if (receipt := self.desk.let_go()) is not None:
            self.apply_to_model([], receipt.t)

    def apply_to_model(self, rows: list[Row], t: int) -> None:
        self.model = {key: held for key, held in self.model.items() if held[1] > t}
        for row in rows:
            cutoff, expires_at = self.model.pop(row.key, (0, 0))
            merged = (max(cutoff, row.cutoff), max(expires_at, row.expires_at))
            if not row.lift and merged[1] > t:
                self.model[row.key] = merged

    @rule()
    def relay(self) -> None:
        with self.storage.write() as session:
            signed = sign_records(session, 1, len(self.values), 100, self.keystore)
        self.values += [stored.compact for stored in signed]
        self.frames = self.verified_frames()

    @rule(count=st.integers(1, 4))
    def guard_reads_on(self, count: int) -> None:
        self.feed(Topic.LOG, *self.values[self.read : self.read + count])
        self.read = min(self.read + count, len(self.values))

    @rule(index=st.integers(0, 30))
    def guard_is_handed_an_old_record(self, index: int) -> None:
        if self.read:
            self.feed(Topic.LOG, self.values[index % self.read])

    @rule(first=st.integers(0, 3), second=st.integers(0, 3))
    def guard_is_handed_records_out_of_order(self, first: int, second: int) -> None:
        ahead = self.values[self.read : self.read + 4]
        for index in (first, second):
            if index < len(ahead):
                self.feed(Topic.LOG, ahead[index])

    @rule(index=st.integers(0, 30))
    def shards_are_handed_any_frame(self, index: int) -> None:
        if self.frames:
            for partition, frame in enumerate(self.frames[index % len(self.frames)]):
                self.streams.receive(partition, frame)

    @invariant()
    def the_issuers_table_is_the_models(self) -> None:
        if hasattr(self, "frames"):
            self.issuer_table()

    @rule()
    def everybody_reads_to_the_end(self) -> None:
        self.relay()
        issuer, head = self.issuer_table()
        self.guard_reads_on(len(self.values))
        position, guard = self.guard.table()
        assert position == head
        assert guard == issuer
        for partition in range(FRAME_PARTITIONS):
            for frames in self.frames:
                self.streams.receive(partition, frames[partition])
        assert self.streams.table(self.frames[-1][0].mark) == issuer

    def issuer_table(self) -> tuple[bytes, Position]:
        with self.storage.read() as session:
            table, head = packed_table(session), position_of(head_of(session))
        held = {row.key: (row.cutoff, row.expires_at) for row in unpack_rows(table)}
        assert held == dict(sorted(self.model.items()))
        return table, head

    def feed(self, topic: Topic, *values: bytes) -> None:
        records = [Received(offset, value) for offset, value in enumerate(values)]
        self.guard.receive(topic, records, Instant(float(self.now), float(self.now)))

    def verified_frames(self) -> list[list[Frame]]:
        trust = Trust(ISSUER, self.terms.root)
        for document in self.documents:
            trust.receive(document, 0)
        chain, frames = Chain(trust), []
        for offset, value in enumerate(self.values):
            (verdict,) = chain.receive(value, 0.0, offset)
            record = verdict.record
            assert record is not None
            frames.append(
                frames_of(record, Mark(record.epoch, record.n, record.t, offset, verdict.record_hash))
            )
        return frames

    def teardown(self) -> None:
        if hasattr(self, "storage"):
            self.everybody_reads_to_the_end()
            self.storage.close()
            shutil.rmtree(self.folder)


def test_any_history_gives_everybody_the_same_bytes(pristine: Path) -> None:
    History.pristine = pristine
    run_state_machine_as_test(
        History,
        settings=settings(
            max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
