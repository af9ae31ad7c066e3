"""The deny-list: every live row in memory, looked up by fingerprint.

* The rule is `revocast.schemas.table.step`; here are only a lean way to hold its rows and a fast way to ask.
* A row is 12 bytes (fingerprint, kind and slot) to one integer (cutoff, expires_at). `pack` gives the same bytes as every
  other reader's table at the same n.
* Kinds without a live row are not looked up, so most tokens cost nothing.
* Written by one thread, read by many: an entry is written before the caller raises the generation that makes readers look.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol

from revocast.schemas.row import Row, Slot, pack_rows
from revocast.schemas.table import step

__all__ = ["DenyList", "Named", "Refusal"]

_KIND_AT: Final = 11
_BLOCK: Final = 0x40
_KIND: Final = 0x3F
_SWEEP_AT_LEAST: Final = 4096


class Named(Protocol):
    """A token, as the deny-list sees it."""

    issued_at: int
    """`floor(iat)`, seconds since 1970."""

    def fingerprint(self, kind: int) -> bytes | None:
        """The fingerprint of the token's selector of this kind; None: it has none."""


class Refusal(NamedTuple):
    """Which slot of which kind refuses a token."""

    kind: int
    slot: Slot


class DenyList:
    """The rows that are in force. `t` is the time of the last record applied, seconds since 1970."""

    def __init__(self) -> None:
        self.t = 0
        self._rows: dict[bytes, int] = {}
        self._live: dict[int, int] = {}
        self._kinds: tuple[int, ...] = ()
        self._since_sweep = 0
        self._sweep_after = _SWEEP_AT_LEAST

    def apply(self, rows: Iterable[Row], t: int) -> None:
        """Apply one record's rows in their order."""
        # The whole record is worked out before any of it is written: where one lifts a slot and revokes it again
        # (to shorten), no reader may look in between and find nothing.
        changed: dict[bytes, int | None] = {}
        for row in rows:
            key = row.fingerprint + bytes((row.kind | (_BLOCK if row.slot else 0),))
            value = changed[key] if key in changed else self._rows.get(key)
            kept = step(None if value is None else _row(key, value), row, t)
            changed[key] = None if kept is None else kept.cutoff << 32 | kept.expires_at
        self.t = t
        # What comes before what goes: where a cutoff replaces a block, no reader may find neither.
        for key, value in sorted(changed.items(), key=lambda change: change[1] is None):
            self._write(key, value)
        if self._since_sweep > self._sweep_after:
            self.sweep()

    def refusal(self, named: Named) -> Refusal | None:
        """The first live row that refuses the token."""
        for kind in self._kinds:
            fingerprint = named.fingerprint(kind)
            if fingerprint is None:
                continue
            blocked = self._rows.get(fingerprint + bytes((kind | _BLOCK,)))
            if blocked is not None and blocked & 0xFFFFFFFF > self.t:
                return Refusal(kind, Slot.BLOCK)
            cut = self._rows.get(fingerprint + bytes((kind,)))
            if cut is not None and cut & 0xFFFFFFFF > self.t and named.issued_at <= cut >> 32:
                return Refusal(kind, Slot.CUTOFF)
        return None

    def sweep(self) -> int:
        """Free rows that have expired; how many. It changes no answer and no byte of `pack`."""
        dead = [key for key, value in self._rows.items() if value & 0xFFFFFFFF <= self.t]
        for key in dead:
            del self._rows[key]
            self._count(key[_KIND_AT] & _KIND, -1)
        # As many rows again as were left alive: sweeping costs each row a constant, however many there are.
        self._since_sweep, self._sweep_after = 0, max(_SWEEP_AT_LEAST, len(self._rows))
        return len(dead)

    def pack(self) -> bytes:
        """The table's canonical bytes at this n."""
        rows = (_row(key, value) for key, value in list(self._rows.items()) if value & 0xFFFFFFFF > self.t)
        return pack_rows(sorted(rows, key=lambda row: row.key))

    def __len__(self) -> int:
        return len(self._rows)

    def _write(self, key: bytes, value: int | None) -> None:
        present = key in self._rows
        if value is not None:
            self._rows[key] = value
            self._since_sweep += 1
        elif present:
            del self._rows[key]
        self._count(key[_KIND_AT] & _KIND, (value is not None) - present)

    def _count(self, kind: int, change: int) -> None:
        if not change:
            return
        self._live[kind] = self._live.get(kind, 0) + change
        kinds = tuple(sorted(kind for kind, rows in self._live.items() if rows))
        if kinds != self._kinds:
            self._kinds = kinds


def _row(key: bytes, value: int) -> Row:
    flags = key[_KIND_AT]
    return Row(
        key[:_KIND_AT],
        flags & _KIND,
        Slot.BLOCK if flags & _BLOCK else Slot.CUTOFF,
        cutoff=value >> 32,
        expires_at=value & 0xFFFFFFFF,
    )
