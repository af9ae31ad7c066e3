"""What one delegation list changes against another, and what stays: what the root's holder reads before signing.

All of the list is said: the list before may be an old one, which somebody handed to an offline machine, so that what stays
is news, too.
"""

from collections.abc import Iterator

from revocast.cli.times import show_time
from revocast.schemas.delegations import Bound, Delegate, DelegationList, Distrust

__all__ = ["changes", "show_place"]


def changes(old: DelegationList | None, new: DelegationList, roots: tuple[str | None, str]) -> list[str]:
    """A line for each. `roots` are the thumbprints of the roots that sign the old list and the new one; old values come first."""
    return list(_changes(old, new, roots))


def show_place(place: Bound | None) -> str:
    """`record 1/57`: epoch and n."""
    return f"record {place.epoch}/{place.n}" if place else "no record"


def _changes(old: DelegationList | None, new: DelegationList, roots: tuple[str | None, str]) -> Iterator[str]:
    yield f"version   {old.version if old else 'none'} -> {new.version}"
    if old is None or old.epoch != new.epoch:
        yield f"epoch     {old.epoch if old else 'none'} -> {new.epoch}" + (
            ": the issuer re-issues the live set; until it is whole, services enforce what they have"
            if old
            else ""
        )
    else:
        yield f"epoch     {new.epoch}"
    yield f"expires   {show_time(old.expires_at) if old else 'none'} -> {show_time(new.expires_at)}"
    before, after = roots
    yield f"root      {before or 'none'} -> {after}" if before != after else f"root      {after}"
    yield from _key_changes(old, new)
    yield from _distrust_changes(old.distrust if old else Distrust(), new.distrust)


def _key_changes(old: DelegationList | None, new: DelegationList) -> Iterator[str]:
    was = {key.public.kid: key for key in old.keys} if old else {}
    now = {key.public.kid: key for key in new.keys}
    for kid, key in was.items():
        if kid not in now:
            fate = "it was retired" if key.bound else "nothing that it signs is believed any more"
            yield f"drops     {_named(key)}: {fate}"
    for kid, key in now.items():
        if kid not in was:
            yield f"adds      {_named(key)}"
        elif was[kid].bound != key.bound:
            yield f"retires   {_named(key)}: good up to {show_place(key.bound)}, and for nothing else"
        elif key.bound:
            yield f"keeps     {_named(key)}: retired at {show_place(key.bound)}"
        else:
            yield f"keeps     {_named(key)}"


def _distrust_changes(old: Distrust, new: Distrust) -> Iterator[str]:
    if new.issuer:
        still = " still" if old.issuer else ""
        yield f"distrusts{still} the whole issuer: every service refuses every token"
    elif old.issuer:
        yield "trusts the issuer again"
    for kid in new.kids:
        still = " still" if kid in old.kids else ""
        yield f"distrusts{still} {kid}: every token that this key signed is refused"
    for kid in old.kids:
        if kid not in new.kids:
            yield f"trusts    {kid} again: tokens that this key signed are accepted"


def _named(key: Delegate) -> str:
    return f"{key.role} key {key.public.kid} ({key.public.alg})"
