"""Revocations of a file, a record of up to 1,000 at a time: what a record of them changes, by the rule of every record.

* A file only revokes. Revocations join, so its lines may be written in any order, and twice.
* What a row says beside its name depends on kind, slot and times alone: it is worked out once for each `Manner`, of which a
  file has few.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from revocast.issuer.authority.revocations import Revocation
from revocast.issuer.authority.terms import Terms
from revocast.schemas.row import SLOT, Key, Slot

__all__ = ["Bulk", "Changed", "Line", "Manner", "Times", "changed_by"]

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


@dataclass(frozen=True, slots=True, eq=False)
class Manner:
    """How lines revoke: `first` stands for all of the same kind, slot and times; `code` is the kind's. Compared by identity."""

    first: Revocation
    code: int

    @property
    def flags(self) -> int:
        """The row's flags byte."""
        return self.code | (SLOT if self.first.slot is Slot.BLOCK else 0)


class Line(NamedTuple):
    """One revocation of a file."""

    fingerprint: bytes
    values: tuple[str, ...]
    manner: Manner

    @property
    def key(self) -> Key:
        """Where it belongs."""
        return (self.fingerprint, self.manner.code, int(self.manner.first.slot))


class Changed(NamedTuple):
    """A line that changes its slot: the row to write, and what the slot holds then."""

    line: Line
    row: Times
    held: Times


def changed_by(lines: Sequence[Line], held: Mapping[Key, Times], t: int, terms: Terms) -> list[Changed]:
    """Those of the lines that a record of time `t` is needed for. `held`: what stands in their slots, dead rows included.

    Raises `InvalidRequest` for times that are out of range.
    """
    times = {manner: terms.times(manner.first, t) for manner in _manners(lines)}
    slots: dict[Key, Times] = {}
    found = []
    for line in lines:
        row, key = times[line.manner], line.key
        cutoff, expires_at = row
        if expires_at <= t:
            continue
        before = slots.get(key) or held.get(key)
        if before is None or before[1] <= t:
            after = row
        else:
            after = (max(cutoff, before[0]), max(expires_at, before[1]))
            if after == before:
                continue
        slots[key] = after
        found.append(Changed(line, row, after))
    return found


def _manners(lines: Iterable[Line]) -> set[Manner]:
    return {line.manner for line in lines}
