"""Whether packed rows are a sorted table, at the speed of C: millions of rows are judged while a service waits to start.

The rows are one large number in which every row is a lane of 160 bits. Where a comparison needs room above a field, the lane
lends it: what stands there is masked out and a guard bit put in. A subtraction then compares all lanes at once; a guard that was
borrowed from marks the lane that failed, and no borrow passes a guard.
"""

from typing import Final

from revocast.schemas.errors import MalformedRow
from revocast.schemas.row import FLAGS_AT, KNOWN_FLAGS, LIFT, ROW_SIZE, Row
from revocast.schemas.selector import FINGERPRINT_SIZE

__all__ = ["problem_with"]

_LANE: Final = ROW_SIZE * 8
_BELOW: Final = (ROW_SIZE - FINGERPRINT_SIZE) * 8
_NOT_LIFTS: Final = bytes(range(LIFT))
_KNOWN: Final = bytes(flags for flags in KNOWN_FLAGS if flags < LIFT)


_AT_ONCE: Final = 2048
"""Rows in one number: what is computed with them stays in the cache of a core."""


def _every(lane: int) -> int:
    return int.from_bytes(lane.to_bytes(ROW_SIZE) * _AT_ONCE)


_ONES: Final = _every(1)
_FINGERPRINTS: Final = _every(((1 << FINGERPRINT_SIZE * 8) - 1) << _BELOW)
_EXPIRIES: Final = _every(0xFFFFFFFF)
_ALIVE: Final = _ONES << 32
# The guard of a lane stands in the lowest bits of the one above, where everything was masked out.
_ASCENDS: Final = _ONES << _LANE
_ASCENDS_LESS_ONE: Final = _ASCENDS - (_ONES << _BELOW)


def problem_with(rows: bytes, t: int) -> str:
    """What keeps `rows` from being a table at `t`, which is seconds since 1970; empty: nothing.

    They must ascend strictly by fingerprint, kind and slot, be alive at `t` and of kinds that are known, and none may be a lift.
    """
    count, rest = divmod(len(rows), ROW_SIZE)
    if rest:
        return "holds a part of a row"
    if strange := rows[FLAGS_AT::ROW_SIZE].translate(None, _KNOWN):
        # As with a record: what is not understood is not skipped, for a token that it refuses would be accepted.
        lifts = strange.translate(None, _NOT_LIFTS)
        return "holds a lift" if lifts else "holds a row of a kind that this version does not know: upgrade"
    alive_less_dead = _ALIVE - _ONES * (t + 1)
    for start in range(0, count, _AT_ONCE - 1):
        part = rows[start * ROW_SIZE : (start + _AT_ONCE) * ROW_SIZE]  # the next one begins with its last row
        lanes = int.from_bytes(part)
        alive = _lowest(_ALIVE, part)
        if (lanes & _EXPIRIES) + _lowest(alive_less_dead, part) & alive != alive:
            return "holds a row that was dead already"
        if not _ascends(part, lanes):
            return "holds rows that are not in order, or one twice"
    return ""


def _lowest(pattern: int, rows: bytes) -> int:
    """A pattern of all lanes, of no more than these rows have. The guard above the highest lane belongs to it."""
    if len(rows) == _AT_ONCE * ROW_SIZE:
        return pattern
    return pattern & (1 << len(rows) * 8 + 1) - 1


def _ascends(rows: bytes, lanes: int) -> bool:
    """Each row against the one before it: all fingerprints at once, and what has the same one by kind and slot."""
    fingerprints = lanes & _FINGERPRINTS
    guards = _lowest(_ASCENDS, rows)
    held = fingerprints + _lowest(_ASCENDS_LESS_ONE, rows) - (fingerprints >> _LANE) & guards
    if held == guards:
        return True
    suspects = (held ^ guards).to_bytes(len(rows) + ROW_SIZE)
    found = suspects.find(1)
    while found >= 0:
        at = found // ROW_SIZE * ROW_SIZE
        if at and not _follows(rows[at - ROW_SIZE : at], rows[at : at + ROW_SIZE]):
            return False
        found = suspects.find(1, found + 1)
    return True


def _follows(row: bytes, following: bytes) -> bool:
    try:
        return Row.unpack(row).key < Row.unpack(following).key
    except MalformedRow:
        return False
