"""What may be applied while tokens are verified, each as one story of a token and of a bystander.

Records are judged once, when a story is told: what readers share with the thread that applies is only what is done with them.
So every race has a real core of its own, and costs no signature of the log.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, Self

from revocast.schemas.jose import PrivateKey
from revocast.schemas.record import Position, Record
from revocast.schemas.row import Row
from revocast.schemas.verdict import Verdict
from revocast.sdk import core as guard_core
from revocast.sdk.core import GuardCore
from revocast.sdk.denylist import DenyList
from revocast.sdk.errors import TokenExpired, TokenRevoked
from revocast.sdk.instant import Instant
from revocast.sdk.packed import PackedBase
from revocast.sdk.profile import Profile
from revocast.testing import Authority, Delivery, core_for

__all__ = ["STORIES", "Memory", "Story", "accepts"]

Memory = Literal["new", "known", "due"]
"""Tokens that the core has not seen; that it remembers and need no look-up; that it remembers and has to look up again."""
_LIFETIME: Final = 300


def accepts(core: GuardCore, token: str, now: Instant) -> bool:
    """As `Guard.verify` does it: the short way, then the long one."""
    try:
        return core.recall(token, *now) is not None or core.verify(token, now) is not None
    except (TokenRevoked, TokenExpired):
        return False


def _records(verdicts: Iterable[Verdict]) -> tuple[tuple[Record, bytes], ...]:
    return tuple((each.record, each.record_hash) for each in verdicts if each.record is not None)


class _Read(NamedTuple):
    """What a reader has made of an authority's logs: a core, and the records that it took with their hashes."""

    core: GuardCore
    records: tuple[tuple[Record, bytes], ...]

    @classmethod
    def of(cls, authority: Authority) -> Self:
        delivery = Delivery(authority, core_for(authority))
        return cls(delivery.core, _records(delivery.deliver()))


@dataclass(frozen=True)
class Story:
    """`apply` is what happens while tokens are verified. Afterwards `token` is refused; with `always`, before it, too.

    `bystander` is good before and after.
    """

    authority: Authority
    token: str
    bystander: str
    now: Instant
    read: _Read
    apply: Callable[[GuardCore], None]
    always: bool

    def core(self, memory: Memory) -> GuardCore:
        """A core as it is before."""
        core = guard_core.GuardCore(
            issuer=self.authority.issuer,
            root=self.authority.pin,
            profile=Profile(self.authority.audience, frozenset({self.authority.issuer})),
        )
        core.trust, core.freshness = self.read.core.trust, self.read.core.freshness
        core._take_keys()
        opening, *others = self.read.records
        core._take_record(*opening, self.now)
        if memory != "new":
            self._meet(core)
        for record in others:
            core._take_record(*record, self.now)
        if memory == "known":
            self._meet(core)
        elif memory == "due":
            core.verifier.rows_changed()
        return core

    def _meet(self, core: GuardCore) -> None:
        for token in (self.token, self.bystander):
            accepts(core, token, self.now)


def _told(
    tell: Callable[[Authority], object],
    *,
    before: Callable[[Authority], object] | None = None,
    key: Callable[[Authority], PrivateKey | None] = lambda authority: None,
    behind: Callable[[_Read, GuardCore], None] = lambda read, core: None,
) -> Story:
    """Alice's token is refused by what `tell` says; already by what was said `before`, if there is any such."""
    authority = Authority()
    authority.rotate()
    token = authority.mint(sid="alice's", lifetime=_LIFETIME, key=key(authority))
    bystander = authority.mint(sub="bob", client_id="other", sid="bob's", lifetime=10 * _LIFETIME)
    if before is not None:
        before(authority)
    read, now = _Read.of(authority), Instant(authority.now, authority.now)
    delivery = Delivery(authority, core_for(authority))
    delivery.deliver()
    tell(authority)
    news = _records(delivery.deliver())
    trust = delivery.core.trust

    def apply(core: GuardCore) -> None:
        behind(read, core)
        if trust.versions != read.core.trust.versions:
            core.trust = trust
            core._take_keys()
        for record in news:
            core._take_record(*record, now)

    return Story(authority, token, bystander, now, read, apply, before is not None)


def _alice(authority: Authority) -> Row:
    return authority.block_row(authority.subject("alice"))


def _session(authority: Authority) -> Row:
    return authority.block_row(authority.session("alice's"))


def _lift(row: Row) -> Row:
    return Row.for_lift(row.fingerprint, row.kind, row.slot)


def _blocked(row: Callable[[Authority], Row], authority: Authority) -> None:
    authority.append([row(authority)])


def _shortened(authority: Authority) -> None:
    row = _alice(authority)
    authority.append([_lift(row), replace(row, expires_at=authority.now + 2 * _LIFETIME)])


def _cutoff_for_block(authority: Authority, *, lift_first: bool) -> None:
    alice = authority.subject("alice")
    rows = [
        authority.cutoff_row(alice, authority.now, authority.now + 2 * _LIFETIME),
        _lift(_alice(authority)),
    ]
    authority.append(rows[::-1] if lift_first else rows)


def _moved(
    source: Callable[[Authority], Row], target: Callable[[Authority], Row], authority: Authority
) -> None:
    authority.append([_lift(source(authority)), target(authority)])


def _revoked_key(authority: Authority) -> None:
    authority.revoke_key(next(iter(authority.token_keys)))


def _first_key(authority: Authority) -> PrivateKey:
    return next(iter(authority.token_keys.values()))


def _only_in_the_new_live_set(authority: Authority) -> None:
    authority.table.apply([_alice(authority)], authority.now)
    authority.new_epoch()
    authority.checkpoint()


def _new_epoch(authority: Authority) -> None:
    authority.new_epoch()
    authority.checkpoint()


def _until_it_expires(authority: Authority) -> None:
    authority.block(authority.subject("alice"), authority.now + _LIFETIME + authority.leeway)


def _time_passes(authority: Authority) -> None:
    authority.now += _LIFETIME + authority.leeway
    authority.block(authority.subject("somebody else"))
    authority.checkpoint()


def _somebody_else(authority: Authority) -> None:
    authority.block(authority.subject("somebody else"))


def _blocked_after_bob(authority: Authority) -> None:
    bob = authority.block_row(authority.subject("bob"))
    authority.append([bob])
    authority.append([_lift(bob), _alice(authority)])


def _adopt(records_behind: int, read: _Read, core: GuardCore) -> None:
    """Take the base of a merge that was begun so many records before the race."""
    merging, records = DenyList(), read.records[: len(read.records) - records_behind]
    for record, _ in records:
        merging.apply(record.rows, record.t, record.n)
    merge = merging.merge()
    base = PackedBase.open(b"".join(merge), merge.index_bytes)
    last, record_hash = records[-1]
    assert core.adopt(base, Position(last.epoch, last.n, record_hash, last.t))


STORIES: Final[Mapping[str, Callable[[], Story]]] = MappingProxyType(
    {
        "a block": lambda: _told(partial(_blocked, _alice)),
        "a block is lifted and set again in one record": lambda: _told(
            _shortened, before=partial(_blocked, _alice)
        ),
        "a cutoff takes the place of a block": lambda: _told(
            partial(_cutoff_for_block, lift_first=False), before=partial(_blocked, _alice)
        ),
        "a block is lifted for a cutoff": lambda: _told(
            partial(_cutoff_for_block, lift_first=True), before=partial(_blocked, _alice)
        ),
        "a block goes from the subject to the session": lambda: _told(
            partial(_moved, _alice, _session), before=partial(_blocked, _alice)
        ),
        "a block goes from the session to the subject": lambda: _told(
            partial(_moved, _session, _alice), before=partial(_blocked, _session)
        ),
        "a row expires, and so has its token": lambda: _told(_time_passes, before=_until_it_expires),
        "a key is revoked": lambda: _told(_revoked_key, key=_first_key),
        "an epoch begins in which it is revoked": lambda: _told(_only_in_the_new_live_set),
        "an epoch begins in which it is revoked as before": lambda: _told(
            _new_epoch, before=partial(_blocked, _alice)
        ),
        "a base takes the place of the overlay": lambda: _told(
            _somebody_else, before=partial(_blocked, _alice), behind=partial(_adopt, 0)
        ),
        "a base comes that is older than the block": lambda: _told(
            _somebody_else, before=_blocked_after_bob, behind=partial(_adopt, 1)
        ),
    }
)
