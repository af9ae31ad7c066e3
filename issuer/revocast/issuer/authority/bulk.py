"""Revocations of a file, a record of up to 1,000 at a time: what a record of them changes, by the rule of every record.

* A file only revokes. Revocations join, so its lines may be written in any order, and twice.
* What a row says beside its name depends on kind, slot and times alone: it is worked out once for each `Manner`, of which a
  file has few.
* A token of which only the name is known is refused until none of that name can be alive, rounded up to the hour: so a file
  that is sent again within it changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from revocast.issuer.authority.expiry import ONE_TOKEN
from revocast.issuer.authority.revocations import Revocation
from revocast.issuer.authority.terms import Terms
from revocast.schemas.row import NEVER, SLOT, Key, Slot

__all__ = ["Bulk", "Changed", "Line", "Manner", "Times", "changed_by"]

_HOUR_S: Final = 3600

Times = tuple[int, int]
"""Cutoff and `expires_at` of a row, seconds."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """One file and who brings it. `operation` is the same for all its parts and repetitions; `file` is what the operator
    calls it."""

    operation: str
    file: str
    actor: str
    reason: str


class Manner:
    """How lines revoke. `first` stands for all of the same kind, slot and times; `code` is the kind's. Compared by identity."""

    __slots__ = ("code", "first", "flags", "kind", "slot")

    def __init__(self, first: Revocation, code: int) -> None:
        self.first = first
        self.kind = first.selector.kind
        self.code = code
        self.slot = int(first.slot)
        self.flags = code | (SLOT if first.slot is Slot.BLOCK else 0)


class Line(NamedTuple):
    """One revocation of a file."""

    fingerprint: bytes
    values: tuple[str, ...]
    manner: Manner


class Changed(NamedTuple):
    """Lines behind each other, of one manner, that change their slots alike: the times of the rows to write, and those that the
    slots hold then. No slot stands in it twice."""

    lines: Sequence[Line]
    manner: Manner
    row: Times
    held: Times


def changed_by(lines: Sequence[Line], held: Mapping[Key, Times], t: int, terms: Terms) -> list[Changed]:
    """Those of the lines that a record of time `t` is needed for, in their order. `held`: what stands in their slots, dead rows
    included.

    Raises `InvalidRequest` for times that are out of range.
    """
    times = {manner: _times(manner, t, terms) for manner in {line.manner for line in lines}}
    slots = {key: own for key, own in held.items() if own[1] > t}
    if len(times) == 1 and not slots and len({line.fingerprint for line in lines}) == len(lines):
        # The usual file is a million new names, and no look at each of them.
        ((manner, row),) = times.items()
        return [Changed(lines, manner, row, row)] if row[1] > t else []
    found: list[Changed] = []
    run: list[Line] = []
    for line in lines:
        fingerprint, _, manner = line
        row = after = times[manner]
        if row[1] <= t:
            continue
        key = (fingerprint, manner.code, manner.slot)
        before = slots.get(key)
        if before is not None:
            after = (max(row[0], before[0]), max(row[1], before[1]))
            if after == before:
                continue
        slots[key] = after
        if not found or (manner, after) != (found[-1].manner, found[-1].held):
            run = []
            found.append(Changed(run, manner, row, after))
        run.append(line)
    return found


def _times(manner: Manner, t: int, terms: Terms) -> Times:
    cutoff, expires_at = terms.times(manner.first, t)
    if manner.kind in ONE_TOKEN and manner.first.expires_at is None:
        expires_at = min(-(-expires_at // _HOUR_S) * _HOUR_S, NEVER - 1)
    return cutoff, expires_at
