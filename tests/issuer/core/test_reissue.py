"""For any interleaving of revocations, lifts, expiries, new epochs, steps of the re-issue and crashes: once the live set is
closed, a guard that read the new epoch alone holds the issuer's bytes, and these are what the old history would have given.
Until then the guard enforces what it had.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from revocast.issuer.authority.revocations import Lift, Revocation
from revocast.issuer.bootstrap import Home, Plan, init
from revocast.issuer.keystore import SealedKeys
from revocast.issuer.publication import Publication
from revocast.issuer.reissuing import Reissue, reissue
from revocast.issuer.revoking import RevocationDesk
from revocast.issuer.storage import Storage
from revocast.issuer.storage.deployment import load_terms
from revocast.issuer.storage.log import head_of, packed_table, position_of
from revocast.issuer.storage.publishing import sign_records
from revocast.issuer.storage.signing_keys import all_documents
from revocast.issuer.trust_desk import TrustDesk
from revocast.schemas.delegating import InForce
from revocast.schemas.delegations import Role
from revocast.schemas.jose import PrivateKey
from revocast.schemas.row import NEVER, Slot
from revocast.schemas.selector import Selector
from revocast.schemas.table import Table
from revocast.sdk.clock import Instant
from revocast.sdk.core import GuardCore, Received
from revocast.sdk.freshness import Topic
from revocast.sdk.profile import Profile
from tests.issuer.core.authority import ISSUER, T

SELECTORS = [Selector.subject(ISSUER, f"user-{number}") for number in range(6)]
ROWS_A_STEP = 3


class _Killed(Exception):
    """The process ended in the middle of a transaction."""


@pytest.fixture(scope="module")
def pristine() -> Iterator[Path]:
    """A fresh authority's folder, made once: `init` hashes a secret, which is slow on purpose."""
    with tempfile.TemporaryDirectory() as folder:
        init(Home(Path(folder) / "home"), Plan(ISSUER), clock=lambda: T)
        yield Path(folder) / "home"


class Epochs(RuleBasedStateMachine):
    """`model` is the one history, of all epochs; `values` is what the relay published, `read` how much a guard has read."""

    pristine: Path
    storage: Storage

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        shutil.copytree(self.pristine, self.folder / "home")
        self.home = Home(self.folder / "home")
        self.now = T
        self.model = Table()
        self.published = (1, 0)
        self.closed: dict[int, int] = {}
        self.tables: dict[tuple[int, int], bytes] = {}
        self.documents: list[bytes] = []
        self.values: list[bytes] = []
        self.read = self.read_documents = 0
        self.root = PrivateKey.from_pem(self.home.root.read_bytes())
        self.keystore = SealedKeys.from_text(self.home.master_key.read_text())
        self.start()
        self.restart_guard()
        # Both slots of each: a step's end falls between two rows of one selector.
        self.write([(selector, slot, "never") for selector in SELECTORS for slot in Slot])
        self.relay()
        self.guard_reads_on(10)

    def start(self) -> None:
        self.storage = Storage(self.home.database_url)
        parts = (self.storage, Publication(), lambda: float(self.now))
        self.desk = RevocationDesk(*parts)
        self.reissue = Reissue(*parts, rows_a_step=ROWS_A_STEP)
        self.trust = TrustDesk(self.storage, self.keystore, Publication(), parts[2], rows_a_step=ROWS_A_STEP)

    @rule(seconds=st.sampled_from([-100, 1, 50, 150, 4000]))
    def move_the_clock(self, seconds: int) -> None:
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
        ends = {"default": None, "never": NEVER, "short": self.now + 100}
        revocations = [
            Revocation(selector, slot, expires_at=ends[life] if slot is Slot.BLOCK else None)
            for selector, slot, life in asked
            if life != "lift"
        ]
        lifts = [Lift(selector, slot) for selector, slot, life in asked if life == "lift"]
        receipt = self.desk.revoke(revocations, lifts, actor="test", reason="")
        if receipt.changed:
            self.model.apply([written.row for written in receipt.rows], receipt.t)

    @rule()
    def let_go(self) -> None:
        self.desk.let_go()

    @rule(compromised=st.booleans())
    def open_an_epoch(self, compromised: bool) -> None:
        report = self.trust.report()
        assert report.list is not None
        active = next(key.kid for key in report.keys if key.state == "active")
        jwk = self.trust.make_event_key(None, actor="test").jwk
        listed = InForce.read(report.list).new_epoch(
            self.now, 365, without=[active] if compromised else [], jwks=[(jwk, Role.EVENT)]
        )
        self.trust.adopt(listed.signed(ISSUER, self.root), actor="test")

    @rule()
    def step(self) -> None:
        self.reissue.step()

    @rule()
    def crash_in_a_step(self) -> None:
        with suppress(_Killed), self.storage.write() as session:
            head = head_of(session, lock=True)
            if head.live_set_n is None:
                reissue(session, load_terms(session), head, self.now, rows=ROWS_A_STEP)
            raise _Killed
        self.storage.close()
        self.start()

    @rule()
    def relay(self) -> None:
        with self.storage.write() as session:
            epoch = head_of(session).epoch
            documents = [document.compact for document in all_documents(session)]
            n = self.published[1] if self.published[0] == epoch else 0
            signed = sign_records(session, epoch, n, 100, self.keystore)
        self.documents += [compact for compact in documents if compact not in self.documents]
        self.values += [stored.compact for stored in signed]
        self.published = (epoch, n + len(signed))

    @rule()
    def restart_guard(self) -> None:
        self.guard = GuardCore(
            issuer=ISSUER, root=self.root.kid, profile=Profile("orders", frozenset({ISSUER}))
        )
        self.read = self.read_documents = 0
        self.read_keys()

    @rule(count=st.integers(1, 6))
    def guard_reads_on(self, count: int) -> None:
        self.read_keys()
        values = self.values[self.read : self.read + count]
        self.feed(Topic.LOG, self.read, values)
        self.read += len(values)

    @invariant()
    def a_guard_enforces_a_whole_table_of_the_history(self) -> None:
        if not hasattr(self, "published"):
            return
        self.check_table()
        position, table = self.guard.table()
        if position is not None:
            assert position.n >= self.closed[position.epoch], "a live set that is not whole is not enforced"
            assert table == self.tables.get((position.epoch, position.n), table)

    def read_keys(self) -> None:
        self.feed(Topic.KEYS, self.read_documents, self.documents[self.read_documents :])
        self.read_documents = len(self.documents)

    def feed(self, topic: Topic, offset: int, values: list[bytes]) -> None:
        records = [Received(number, value) for number, value in enumerate(values, start=offset)]
        self.guard.receive(topic, records, Instant(float(self.now), float(self.now)))

    def check_table(self) -> bytes:
        """A new epoch revokes and lifts nothing: the issuer's table is the one history's."""
        with self.storage.read() as session:
            table, head = packed_table(session), head_of(session)
            if head.live_set_n is not None:
                self.closed[head.epoch] = head.live_set_n
            place, t = (head.epoch, head.n), head.t
        self.model.apply((), t)
        assert table == self.model.pack()
        self.tables[place] = table
        return table

    @rule()
    def everything_is_issued_and_read(self) -> None:
        while self.reissue.step():
            pass
        self.relay()
        self.guard_reads_on(len(self.values))
        with self.storage.read() as session:
            head = position_of(head_of(session))
        assert self.guard.table() == (head, self.check_table())

    def teardown(self) -> None:
        if hasattr(self, "published"):
            self.everything_is_issued_and_read()
            self.restart_guard()
            self.everything_is_issued_and_read()
            self.storage.close()
            shutil.rmtree(self.folder)


def test_any_interleaving_leaves_every_reader_with_the_bytes_of_the_one_history(pristine: Path) -> None:
    Epochs.pristine = pristine
    run_state_machine_as_test(
        Epochs,
        settings=settings(
            max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
