"""The deny-list: every row in force, looked up by fingerprint. A packed base that is never changed, and a small overlay.

* The rule is `revocast.schemas.table.step`. `pack` gives the same bytes as every other reader's table at the same n.
* The overlay holds, for each fingerprint that changed since the base was written, *all* its rows as they are now, packed, behind
  the n at which they last changed. It stands before the base: what was lifted is there with no rows.
* A base may come at any time, from a merge here (`merging.py`) or from another process, if it is not older than the one in
  use. It is the table after its record, so what has not changed since then is the same in it: entries up to its n only
  repeat it, and go.
* Base, overlay, kinds and t are one reference, replaced whole with every record. One thread writes, many read; what comes is
  written before the reference changes, what goes is taken out after it. A reader that finds nothing and then the same
  reference as before has thus seen exactly the table after one record; else it looks again.
* Rows that expired count as absent, base or overlay, and leave with the next merge.
* Kinds without a row are not looked up, so most tokens cost nothing. What the base does not hold is noted with the token:
  looked up again after each record, it is sought in the overlay only, all its fingerprints at once.
"""

import struct
import sys
from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol

from revocast.schemas.row import FLAGS_AT, KIND, LIFT, ROW_SIZE, SLOT, Row, Slot
from revocast.schemas.rows import Rows
from revocast.schemas.table import packed_rows, step_packed
from revocast.sdk.merging import STAMP, Merge, merged
from revocast.sdk.packed import PackedBase

__all__ = ["Absent", "DenyList", "Named", "Refusal", "Size"]

_ROW: Final = struct.Struct(">11s9s")
_FIELDS: Final = struct.Struct(">11xBII")
_ENTRY_BYTES: Final = sys.getsizeof(bytes(11)) + sys.getsizeof(bytes(STAMP))
"""Of an entry without its rows, beside its place in the dictionary."""
_OVERLAY_AT_LEAST: Final = 32_768
_OVERLAY_SHARE: Final = 192
"""Of a base of ten million rows: with more in the overlay, 24 bytes a row would not be enough."""
_DEAD_SHARE: Final = 0.25
_FORGOTTEN_A_RECORD: Final = 512


class Absent(NamedTuple):
    """What a base does not hold: it need not be asked again, however often a token is looked up."""

    mark: object
    """Of the base, and of the kinds that were asked for."""
    fingerprints: tuple[bytes, ...]


class Named(Protocol):
    """A token, as the deny-list sees it."""

    issued_at: int
    """`floor(iat)`, seconds since 1970."""
    absent: Absent | None
    """The deny-list's own note; None to begin with."""

    def fingerprint(self, kind: int) -> bytes | None:
        """The fingerprint of the token's selector of this kind; None: it has none."""


class Refusal(NamedTuple):
    """Which slot of which kind refuses a token."""

    kind: int
    slot: Slot


class Size(NamedTuple):
    """Rows and bytes: of the base with its index, which processes of a host can share, and of the overlay, which is this process's own."""

    base_rows: int
    overlay_rows: int
    base_bytes: int
    overlay_bytes: int


class _View(NamedTuple):
    t: int
    kinds: tuple[int, ...]
    overlay: dict[bytes, bytes]
    base: PackedBase
    mark: object
    """Another one whenever base or kinds are."""


class DenyList:
    """The rows in force after record `n`, whose time is `t` (seconds since 1970); to begin with, those of `base`.

    `len` counts the rows in memory, at least those in force: also those that have expired, and those of the base that the overlay
    repeats or replaces, until the next merge.
    """

    def __init__(self, base: PackedBase | None = None, n: int = 0, t: int = 0) -> None:
        base = base or PackedBase.build()
        self.n = n
        self.base_n = n
        """The record after which the base is the table."""
        self.applied = 0
        """Rows of all records so far, those that change nothing included."""
        self._view = _View(t, tuple(sorted(base.kinds)), {}, base, object())
        self._overlay_rows = 0
        self._overlay_kinds: set[int] = set()
        self._unchecked: list[bytes] = []
        self._checked_kinds: set[int] = set()

    @property
    def t(self) -> int:
        """The time of the last record applied, seconds since 1970."""
        return self._view.t

    @property
    def base(self) -> PackedBase:
        """The base in use."""
        return self._view.base

    @property
    def size(self) -> Size:
        """What it takes, now."""
        overlay, base, rows = self._view.overlay, self._view.base, self._overlay_rows
        entries = len(overlay) * _ENTRY_BYTES + rows * ROW_SIZE
        return Size(len(base), rows, len(base.rows) + len(base.index_bytes), sys.getsizeof(overlay) + entries)

    def apply(self, rows: Iterable[Row], t: int, n: int | None = None) -> None:
        """Apply record `n` (by default the next), whose time is `t`: its rows in their order, best as the record's `Rows`."""
        packed = Rows.of(rows).packed
        self.n = self.n + 1 if n is None else n
        self.applied += len(packed) // ROW_SIZE
        # The whole record is worked out before any of it is written: where one lifts a slot and revokes it again
        # (to shorten), no reader may look in between and find nothing.
        changed, going = self._worked_out(packed, t)
        kinds = {flags & KIND for flags in set(packed[FLAGS_AT::ROW_SIZE])}
        self._overlay_kinds |= kinds
        self._checked_kinds |= kinds
        overlay, base = self._view.overlay, self._view.base
        overlay.update(changed)
        self._look_at(t, overlay, base)
        overlay.update(going)
        self._forget_repeated(_FORGOTTEN_A_RECORD + 2 * len(changed))

    def refusal(self, named: Named) -> Refusal | None:
        """The first live row that refuses the token."""
        while True:
            view = self._view
            absent = named.absent
            # A dictionary's keys compare with all of them in one call.
            if (
                absent is None
                or absent.mark is not view.mark
                or not view.overlay.keys().isdisjoint(absent.fingerprints)
            ):
                refusal = _look_up(view, named)
                if refusal is not None:
                    return refusal
            if self._view is view:
                return None

    @property
    def changed(self) -> int:
        """Fingerprints that have changed since the base was written."""
        return len(self._view.overlay) - len(self._unchecked)

    @property
    def wants_merge(self) -> bool:
        """Whether a merge is worth what it costs: much has changed since the base was written, much has expired, or it has no filter."""
        view = self._view
        return (
            self.changed > max(_OVERLAY_AT_LEAST, len(view.base) // _OVERLAY_SHARE)
            or view.base.dead_share(view.t) > _DEAD_SHARE
            or not view.base.has_filter  # it came as a snapshot
        )

    def merge(self) -> Merge:
        """Begin to merge what is in force after this record. `adopt` what comes of it, or drop it: nothing has changed here."""
        view = self._view
        return Merge(view.base, view.overlay.copy(), self.n, view.t)

    def adopt(self, base: PackedBase, n: int, t: int) -> None:
        """Go on with a base that is the table after record `n`, whose time is `t`: of a merge here, or of another process.

        It may be ahead of what was applied here: then this is the table after `n` from now on. Raises `ValueError` when it is
        older than the base in use.
        """
        if n < self.base_n:
            raise ValueError(f"base: is of record {n}, the one in use of {self.base_n}")
        overlay = self._view.overlay
        if n >= self.n:
            # Not the same dictionary emptied: readers may still hold the old base with it.
            self.n, overlay = n, {}
            self._overlay_rows, self._overlay_kinds = 0, set()
        self.base_n = n
        self._unchecked = list(overlay)
        self._checked_kinds = set()
        self._look_at(max(t, self.t), overlay, base)

    def pack(self) -> bytes:
        """The table's canonical bytes at this n."""
        view = self._view
        return b"".join(merged(view.base, view.overlay, view.t))

    def __len__(self) -> int:
        return len(self._view.base) + self._overlay_rows

    def _worked_out(self, packed: bytes, t: int) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
        """The entries that a record changes, as they are to be at first, and once more those from which something goes."""
        overlay, base = self._view.overlay, self._view.base
        stamp, now = self.n.to_bytes(STAMP, "big"), t.to_bytes(4, "big")
        find, changed = base.find, dict[bytes, bytes]()
        before: dict[bytes, bytes] = {}
        rows_before = 0
        for fingerprint, rest in _ROW.iter_unpack(packed):
            entry = changed.get(fingerprint)
            if entry is None:
                entry = overlay.get(fingerprint)
                if entry is not None:
                    rows_before += len(entry) - STAMP
            held = find(fingerprint) if entry is None else entry[STAMP:]
            if held:
                if rest[0] & LIFT:
                    before.setdefault(fingerprint, held)
                changed[fingerprint] = stamp + step_packed(held, fingerprint + rest, now)
            elif not rest[0] & LIFT and rest[5:] > now:
                changed[fingerprint] = stamp + fingerprint + rest
        self._overlay_rows += (
            sum(map(len, changed.values())) - STAMP * len(changed) - rows_before
        ) // ROW_SIZE
        going = {fingerprint: changed[fingerprint] for fingerprint in before}
        for fingerprint, held in before.items():
            # What comes before what goes: where a cutoff replaces a block, no reader may find neither.
            for row in packed_rows(going[fingerprint][STAMP:]):
                held = step_packed(held, row, now)
            changed[fingerprint] = stamp + held
        return changed, going

    def _look_at(self, t: int, overlay: dict[bytes, bytes], base: PackedBase) -> None:
        """What readers see from here on."""
        before, kinds = self._view, tuple(sorted(self._overlay_kinds.union(base.kinds)))
        same = base is before.base and kinds == before.kinds
        self._view = _View(t, kinds, overlay, base, before.mark if same else object())

    def _forget_repeated(self, limit: int) -> None:
        """Take out entries that only repeat the base; `limit` at a time, so that nothing waits for it."""
        unchecked, overlay, base_stamp = (
            self._unchecked,
            self._view.overlay,
            self.base_n.to_bytes(STAMP, "big"),
        )
        for _ in range(min(limit, len(unchecked))):
            fingerprint = unchecked.pop()
            entry = overlay[fingerprint]
            if entry[:STAMP] <= base_stamp:
                self._overlay_rows -= (len(entry) - STAMP) // ROW_SIZE
                del overlay[fingerprint]
            else:
                self._checked_kinds.update(flags & KIND for flags in entry[STAMP + FLAGS_AT :: ROW_SIZE])
        if not unchecked and self._checked_kinds != self._overlay_kinds:
            self._overlay_kinds = self._checked_kinds.copy()


def _look_up(view: _View, named: Named) -> Refusal | None:
    absent: list[bytes] | None = []
    for kind in view.kinds:
        fingerprint = named.fingerprint(kind)
        if fingerprint is None:
            continue
        entry = view.overlay.get(fingerprint)
        rows = view.base.find(fingerprint) if entry is None else entry[STAMP:]
        if rows:
            slot = _refusing(rows, kind, named.issued_at, view.t)
            if slot is not None:
                return Refusal(kind, slot)
        if rows or entry is not None:
            absent = None
        elif absent is not None:
            absent.append(fingerprint)
    if absent is not None:
        named.absent = Absent(view.mark, tuple(absent))
    return None


def _refusing(rows: bytes, kind: int, issued_at: int, t: int) -> Slot | None:
    """Which of a fingerprint's rows refuses a token of this time of issue, by this kind."""
    slot = None
    for flags, cutoff, expires_at in _FIELDS.iter_unpack(rows):
        if flags & KIND == kind and expires_at > t:
            if flags & SLOT:
                return Slot.BLOCK
            if issued_at <= cutoff:
                slot = Slot.CUTOFF
    return slot
