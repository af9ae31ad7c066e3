"""The decisions of `recover` without Kafka: token keys, the order of two histories, and byte-identical tables."""

import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from revocast.issuer.authority.cutting import CutRule
from revocast.issuer.authority.key_recovery import recovered_keys
from revocast.issuer.authority.lifecycle import KeyState, TokenKey
from revocast.issuer.authority.recovered import NextStep, Recovered
from revocast.issuer.authority.revocations import Lift, Revocation
from revocast.issuer.bootstrap import Home, Plan, init
from revocast.issuer.keystore import SealedKeys
from revocast.issuer.publication import Publication
from revocast.issuer.recovery_desk import RecoveryDesk
from revocast.issuer.service import Service
from revocast.issuer.snapshotting import CutDesk
from revocast.issuer.storage import Storage
from revocast.issuer.storage.publishing import sign_records
from revocast.issuer.storage.signing_keys import all_documents
from revocast.issuer.storage.snapshots import ask_for_cut
from revocast.schemas.jose import PrivateKey
from revocast.schemas.keyset import IssuerKeys, KeyEntry, KeySet, Lifetime
from revocast.schemas.row import Slot
from revocast.schemas.selector import Selector
from tests.issuer.core.authority import ISSUER, FakeClock, T, model_of

_KEYS = {name: PrivateKey.generate("EdDSA").public for name in "abc"}


def key_set(version: int, **states: KeyState) -> KeySet:
    entries = tuple(KeyEntry(jwk=dict(_KEYS[name].jwk), state=state) for name, state in states.items())
    own = IssuerKeys(issuer=ISSUER, lifetimes=(Lifetime(since=0, max_lifetime=3600),), keys=entries)
    return KeySet(t=T + version, delegations=1, version=version, salt=bytes(32), leeway=30, issuers=(own,))


def stored(name: str, state: KeyState) -> TokenKey:
    public = _KEYS[name]
    return TokenKey(public.kid, public.alg, dict(public.jwk), state, T, announce_seconds=60, activated_at=T)


def recovered(keys: Sequence[TokenKey], *published: KeySet) -> dict[str, TokenKey]:
    names = {public.kid: name for name, public in _KEYS.items()}
    return {names[key.kid]: key for key in recovered_keys(keys, published, ISSUER, T + 99)}


@pytest.mark.parametrize("here", KeyState)
@pytest.mark.parametrize("said", KeyState)
def test_of_two_states_of_a_key_the_one_further_along_counts(here: KeyState, said: KeyState) -> None:
    order = list(KeyState)
    found = recovered([stored("a", here)], key_set(1, a=said)).get("a", stored("a", here))
    assert found.state is max(here, said, key=order.index)


@pytest.mark.parametrize("said", [KeyState.ANNOUNCED, KeyState.ACTIVE])
def test_a_key_without_its_private_half_retires_now(said: KeyState) -> None:
    found = recovered([], key_set(1, b=said))["b"]
    assert (found.state, found.retiring_at, found.created_at) == (KeyState.RETIRING, T + 99, T + 1)


def test_a_key_that_was_revoked_stays_revoked_when_no_key_set_lists_it_any_more() -> None:
    history = (
        key_set(1, a=KeyState.ACTIVE, b=KeyState.RETIRING),
        key_set(2, a=KeyState.REVOKED, b=KeyState.RETIRING, c=KeyState.ACTIVE),
        key_set(3, c=KeyState.ACTIVE),
    )
    found = recovered([stored("a", KeyState.ACTIVE), stored("b", KeyState.ACTIVE)], *history)
    assert (found["a"].state, found["a"].revoked_at) == (KeyState.REVOKED, T + 2)
    assert (found["b"].state, found["b"].retired_at) == (KeyState.RETIRED, T + 3)


def test_a_key_that_no_key_set_ever_named_stays_as_it_is() -> None:
    assert recovered([stored("c", KeyState.ANNOUNCED)], key_set(1, a=KeyState.ACTIVE)).keys() == {"a"}


class Copy:
    """An authority on a copy of one folder: the lost database or the restored one."""

    def __init__(self, home: Path, clock: FakeClock) -> None:
        self.home = Home(home)
        self.storage = Storage(self.home.database_url)
        self.keystore = SealedKeys.from_file(self.home.master_key)
        self.clock = clock
        self.service = Service(self.storage, self.keystore, Publication(), clock)

    def restored(self, home: Path) -> "Copy":
        self.storage.close()
        shutil.copytree(self.home.folder, home)
        return Copy(home, FakeClock(self.clock.now))

    def sign(self) -> list[bytes]:
        """Sign everything, as the relay does; the log's bytes."""
        with self.storage.write() as session:
            return [each.compact for each in sign_records(session, 1, 0, 1000, self.keystore)]

    def act(self, chance: random.Random, count: int) -> None:
        """Random revocations and lifts of few names, so that they meet; time goes on."""
        for _ in range(count):
            self.clock.now += chance.choice((0, 1, 60, 400))
            selector = Selector.subject(ISSUER, f"user-{chance.randrange(2)}")
            slot = chance.choice(tuple(Slot))
            if chance.random() < 0.15:
                self.service.revoke([], [Lift(selector, slot)], actor="alice", reason="")
                continue
            cutoff = None if slot is Slot.BLOCK else int(self.clock.now) - chance.randrange(200)
            expires_at = int(self.clock.now) + chance.choice((240, 600, 2000))
            self.service.revoke(
                [Revocation(selector, slot, cutoff, expires_at)], [], actor="alice", reason=""
            )

    def recover(self, log: Sequence[bytes], documents: Sequence[bytes], **options: bool) -> Recovered:
        """What `recover` does once Kafka was read."""
        options = {"dry_run": False, "take_log": False, **options}
        desk = RecoveryDesk(self.storage, self.keystore, self.clock, **options)
        for offset, compact in enumerate(documents):
            desk.documents.receive(compact, offset)
        desk.documents_read()
        for offset, compact in enumerate(log):
            desk.take(desk.judge([(offset + 1, compact, offset)]))
        desk.log_read()
        return desk.finish()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `init` makes, once: its keys are slow to make."""
    home = tmp_path_factory.mktemp("made") / "home"
    init(Home(home), Plan(ISSUER, max_lifetime=200, token_lifetime=100), clock=FakeClock())
    return home


@pytest.mark.parametrize("seed", [7, 19, 23, 45])
def test_whatever_was_written_on_both_sides_the_table_is_what_the_log_makes(
    tmp_path: Path, made: Path, seed: int
) -> None:
    """Time runs differently on both sides, rows expire, join and are lifted: the bytes are those of every reader."""
    chance = random.Random(seed)
    shutil.copytree(made, tmp_path / "lost")
    lost = Copy(tmp_path / "lost", FakeClock())
    lost.act(chance, 6)
    lost.sign()
    here = lost.restored(tmp_path / "restored")
    lost.act(chance, chance.randrange(1, 8))
    here.act(chance, chance.randrange(12))
    here.clock.now = max(here.clock.now, lost.clock.now)
    assert_that_it_holds_what_readers_hold(here, lost)


def assert_that_it_holds_what_readers_hold(here: Copy, lost: Copy) -> None:
    with lost.storage.read() as session:
        documents = [document.compact for document in all_documents(session)]
    log = lost.sign()
    account = here.recover(log, sorted(documents, key=len))
    status = here.service.status()
    assert account.next_step is NextStep.START and status.n >= len(log)
    assert here.sign()[: len(log)] == log, "its log begins with the very bytes of the lost one's"
    assert status.table == model_of(here.service).pack()
    here.storage.close()
    lost.storage.close()


def cut(copy: Copy, name: str, cutoff: int, expires_at: int) -> None:
    revocation = Revocation(Selector.subject(ISSUER, name), Slot.CUTOFF, cutoff, expires_at)
    copy.service.revoke([revocation], [], actor="alice", reason="")


@pytest.fixture
def both(tmp_path: Path, made: Path) -> tuple[Copy, Copy]:
    """The restored database and the lost one; alice is cut off at T - 10, until T + 300."""
    shutil.copytree(made, tmp_path / "lost")
    lost = Copy(tmp_path / "lost", FakeClock())
    cut(lost, "alice", T - 10, T + 300)
    lost.sign()
    return lost.restored(tmp_path / "restored"), lost


def test_what_an_unsigned_record_joined_is_parted_again(both: tuple[Copy, Copy]) -> None:
    """Behind the log, whose time is later, there is nothing left to join: the row's later cutoff has died with it."""
    here, lost = both
    cut(here, "alice", T - 90, T + 2000)
    lost.clock.now = here.clock.now = T + 400
    cut(lost, "bob", T + 400, T + 2000)
    assert_that_it_holds_what_readers_hold(here, lost)


def test_a_cut_that_made_way_leaves_its_place_to_the_next_one(both: tuple[Copy, Copy]) -> None:
    here, lost = both
    first, second = take_cut(here), take_cut(here)
    cut(lost, "bob", T - 5, T + 2000)
    with lost.storage.read() as session:
        documents = [document.compact for document in all_documents(session)]
    here.recover(lost.sign(), sorted(documents, key=len))
    assert here.service.snapshots().snapshots == [] and here.service.status().n == first
    assert take_cut(here) == second
    here.storage.close()
    lost.storage.close()


def take_cut(copy: Copy) -> int:
    """Its n."""
    with copy.storage.write() as session:
        ask_for_cut(session)
    taken = CutDesk(copy.storage, Publication(), copy.clock, CutRule(10**9, 10**9)).take()
    assert taken is not None
    taken.held.close()
    return taken.position.n


def test_what_the_time_of_an_unsigned_record_dropped_is_there_for_the_log_to_join(
    both: tuple[Copy, Copy],
) -> None:
    here, lost = both
    cut(lost, "alice", T - 90, T + 2000)
    here.clock.now = T + 400
    cut(here, "bob", T + 400, T + 2000)
    assert_that_it_holds_what_readers_hold(here, lost)
