"""What the root's holder may decide: every list that is made is one that readers take, and what they would refuse is not made."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revocast.schemas.delegating import LIFETIME_DAYS, WARNING_DAYS, InForce, expiry_warning, first_list
from revocast.schemas.delegations import Bound, DelegationList, Role
from revocast.schemas.errors import SchemaError
from revocast.schemas.jose import PrivateKey
from revocast.schemas.trust import Trust
from revocast.schemas.verdict import Outcome
from tests.schemas.history import ISSUER, T

_DAY = 86_400
_KEYS = [PrivateKey.generate() for _ in range(24)]
"""A pool: making keys is what takes the time."""
_ROOTS = [PrivateKey.generate() for _ in range(24)]


@dataclass
class Holder:
    """The root's holder, a reader that follows every list, and the ones that are signed."""

    root: PrivateKey = _ROOTS[0]
    now: int = T
    compact: bytes = field(init=False)
    roots_used: int = 1

    def __post_init__(self) -> None:
        jwks = [(_KEYS[0].public.jwk, Role.EVENT), (_KEYS[1].public.jwk, Role.SNAPSHOT)]
        self.first_root = self.root
        self.reader = Trust(ISSUER, self.root.kid)
        self.publish(first_list(self.root.public, jwks, self.now))

    @property
    def in_force(self) -> InForce:
        return InForce.read(self.compact)

    @property
    def listed(self) -> DelegationList:
        return self.in_force.listed

    def publish(self, successor: DelegationList) -> None:
        """Sign it, and let the reader judge."""
        self.compact = successor.signed(ISSUER, self.root)
        (verdict,) = self.reader.receive(self.compact, 0)
        assert verdict.outcome is Outcome.APPLIED, verdict.reason

    def rotate_root(self) -> None:
        new = _ROOTS[self.roots_used % len(_ROOTS)]
        roots = self.listed.roots.handed_over(self.root, new.public, ISSUER)
        successor = self.in_force.rooted(roots, self.now, LIFETIME_DAYS)
        self.root, self.roots_used = new, self.roots_used + 1
        self.publish(successor)


def kids(listed: DelegationList) -> dict[str, Bound | None]:
    return {key.public.kid: key.bound for key in listed.keys}


def unbound(listed: DelegationList, role: Role = Role.EVENT) -> list[str]:
    return [key.public.kid for key in listed.keys if key.role is role and key.bound is None]


@st.composite
def decisions(draw: st.DrawFn) -> Callable[[Holder], DelegationList | None]:
    """One of everything that may be decided; None: nothing to decide like that now."""
    days = draw(st.integers(1, 10 * LIFETIME_DAYS))
    number = draw(st.integers(0, len(_KEYS) - 1))
    bound = Bound(epoch=1, n=draw(st.integers(0, 10**9)))
    role = draw(st.sampled_from(list(Role)))
    issuer = draw(st.booleans())

    def fresh(holder: Holder) -> list[tuple[Any, Role]]:
        key = _KEYS[number]
        return [] if key.kid in kids(holder.listed) else [(key.public.jwk, role)]

    def renew(holder: Holder) -> DelegationList | None:
        return holder.in_force.renewed(holder.now, days)

    def delegate(holder: Holder) -> DelegationList | None:
        return holder.in_force.delegated(fresh(holder), holder.now, days)

    def retire(holder: Holder) -> DelegationList | None:
        signing = unbound(holder.listed)
        if len(signing) < 2:
            return None
        return holder.in_force.retired(signing[number % len(signing)], bound, holder.now, days)

    def compromised(holder: Holder) -> DelegationList | None:
        lost = unbound(holder.listed)[0]
        new = [(jwk, Role.EVENT) for jwk, _ in fresh(holder)]
        if not new and len(unbound(holder.listed)) < 2:
            return None
        return holder.in_force.new_epoch(holder.now, days, without=[lost], jwks=new)

    def distrust(holder: Holder) -> DelegationList | None:
        return holder.in_force.distrusting([f"token-key-{number % 3}"], holder.now, days, issuer=issuer)

    def trust_again(holder: Holder) -> DelegationList | None:
        earlier = holder.listed.distrust
        return holder.in_force.trusting_again(earlier.kids[:1], holder.now, days, issuer=earlier.issuer)

    return draw(st.sampled_from([renew, delegate, retire, compromised, distrust, trust_again]))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(decisions(), st.integers(-3 * _DAY, 400 * _DAY), st.integers(0, 5)), min_size=1, max_size=10
    )
)
def test_every_successor_is_taken_after_its_predecessor_and_changes_nothing_else(
    steps: list[tuple[Callable[[Holder], DelegationList | None], int, int]],
) -> None:
    holder = Holder()
    for decide, later, dice in steps:
        holder.now += later  # clocks step back, too
        before = holder.listed
        if dice == 0:
            holder.rotate_root()
        elif (successor := decide(holder)) is not None:
            holder.publish(successor)
        else:
            continue
        after = holder.listed
        assert after.version == before.version + 1
        assert after.t >= before.t
        assert after.expires_at > after.t
        assert unbound(after)
        assert after.roots.handovers[: len(before.roots.handovers)] == before.roots.handovers
        if after.epoch == before.epoch:
            assert kids(before).keys() <= kids(after).keys()
            assert all(kids(after)[kid] == bound for kid, bound in kids(before).items() if bound)
            assert after.opened_by is not None
        else:
            assert (after.epoch, after.opened_by) == (before.epoch + 1, None)
            assert all(bound is None for bound in kids(after).values())
    for pinned in (holder.first_root, holder.root):
        sleeper = Trust(ISSUER, pinned.kid)
        assert sleeper.receive(holder.compact, 0)[0].outcome is Outcome.APPLIED


def refused(decide: Callable[[], DelegationList], why: str) -> None:
    with pytest.raises(SchemaError, match=why) as raised:
        decide()
    assert type(raised.value).__module__.startswith("revocast"), "not pydantic's own error"


def test_the_last_key_that_signs_is_neither_retired_nor_dropped() -> None:
    in_force, only = Holder().in_force, _KEYS[0].kid
    bound = Bound(epoch=1, n=5)
    refused(lambda: in_force.retired(only, bound, T, 1), "no event key would be left")
    refused(lambda: in_force.new_epoch(T, 1, without=[only]), "no event key would be left")
    snapshot = [(_KEYS[2].public.jwk, Role.SNAPSHOT)]
    refused(lambda: in_force.new_epoch(T, 1, without=[only], jwks=snapshot), "no event key would be left")
    refused(lambda: first_list(_ROOTS[0].public, snapshot, T), "no event key would be left")


def test_a_key_is_listed_once_and_unknown_ones_are_named() -> None:
    in_force, nobody = Holder().in_force, _KEYS[5].kid
    refused(lambda: in_force.delegated([(_KEYS[0].public.jwk, Role.EVENT)], T, 1), "stands twice")
    refused(lambda: in_force.delegated([({"kty": "oct", "k": "AAAA"}, Role.EVENT)], T, 1), "not a public key")
    refused(lambda: in_force.retired(nobody, Bound(epoch=1, n=1), T, 1), f"{nobody} is not on")
    refused(lambda: in_force.new_epoch(T, 1, without=[nobody]), f"{nobody} is not on")
    refused(lambda: in_force.trusting_again(["token"], T, 1, issuer=False), "token is not distrusted")
    refused(lambda: in_force.trusting_again([], T, 1, issuer=True), "issuer: is not distrusted")


def test_a_retired_key_keeps_the_bound_that_readers_know() -> None:
    holder = Holder()
    holder.publish(holder.in_force.delegated([(_KEYS[2].public.jwk, Role.EVENT)], T, 1))
    holder.publish(holder.in_force.retired(_KEYS[0].kid, Bound(epoch=1, n=7), T, 1))
    refused(
        lambda: holder.in_force.retired(_KEYS[0].kid, Bound(epoch=1, n=70), T, 1), "has been retired already"
    )
    holder.publish(holder.in_force.retired(_KEYS[0].kid, Bound(epoch=1, n=7), T, 1))


@pytest.mark.parametrize("key", _KEYS[:2])
def test_distrust_is_for_keys_that_sign_tokens(key: PrivateKey) -> None:
    refused(lambda: Holder().in_force.distrusting([key.kid], T, 1, issuer=False), "signs no tokens")


@pytest.mark.parametrize("days", [0, -1, 10 * LIFETIME_DAYS + 1])
def test_a_list_is_good_for_a_day_to_ten_years(days: int) -> None:
    refused(lambda: Holder().in_force.renewed(T, days), "days: must be 1 to 3650")
    refused(lambda: first_list(_ROOTS[0].public, [], T, days), "days: must be 1 to 3650")


def test_a_list_that_readers_would_find_too_long_is_not_made() -> None:
    holder = Holder()
    kids = [f"{number:043}" for number in range(3_000)]
    refused(lambda: holder.in_force.distrusting(kids, T, 1, issuer=False), "longer than readers take")
    holder.publish(holder.in_force.distrusting(kids[:2_500], T, 1, issuer=False))
    assert holder.reader.delegations is not None
    assert len(holder.reader.delegations.distrust.kids) == 2_500


def test_the_warning_begins_sixty_days_before_the_expiry_and_says_when_it_is_over() -> None:
    assert WARNING_DAYS == 60
    assert expiry_warning(T, T - 60 * _DAY - 1) is None
    assert "expires in 60 days" in str(expiry_warning(T, T - 60 * _DAY))
    assert "expires in 0 days" in str(expiry_warning(T, T - 1))
    assert str(expiry_warning(T, T)).startswith("the delegation list has expired")
    assert str(expiry_warning(T, T + _DAY)).startswith("the delegation list has expired")


def test_a_root_is_never_delegated_to_nor_a_delegated_key_made_root() -> None:
    holder = Holder()
    refused(
        lambda: first_list(_ROOTS[0].public, [(_ROOTS[0].public.jwk, Role.EVENT)], T), "a root signs lists"
    )
    holder.rotate_root()
    for root in _ROOTS[:2]:
        jwks = [(root.public.jwk, Role.EVENT)]
        refused(partial(holder.in_force.delegated, jwks, T, 1), "a root signs lists")
    roots = holder.listed.roots.handed_over(holder.root, _KEYS[0].public, ISSUER)
    refused(lambda: holder.in_force.rooted(roots, T, 1), "a root signs lists")
