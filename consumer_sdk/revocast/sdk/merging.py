"""Merging: base and overlay become the next base, in small steps, beside whatever else the loop does.

* The overlay was copied at a record n; records applied afterwards go on into the live one, and are in no way waited for.
* The steps go along the fingerprints' first bits. A part of the base in which nothing changed and nothing died is copied as it
  is. A fingerprint in the overlay stands for all its rows: those of the base go.
* Rows that are dead at the record's `t` are left out.
* Nothing is changed before the new base is adopted, so a merge may be given up at any moment.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from revocast.schemas.row import ROW_SIZE
from revocast.schemas.selector import FINGERPRINT_SIZE
from revocast.sdk.packed import PackedBase
from revocast.sdk.packed_index import IndexBuilder, words_of

__all__ = ["STAMP", "Merge", "merged"]

_ROWS_A_STEP: Final = 8192
_CHANGES_A_STEP: Final = 512
_EXPIRES_AT: Final = 16
STAMP: Final = 8
"""Bytes of the n before the rows of an overlay's entry."""


class Merge:
    """A merge of what a deny-list held after record `n`, whose time is `t`. Iterate it, a step at a time, for the new base's rows.

    A step takes a millisecond or two and yields the next rows, often none. After the last one `index_bytes` is what belongs
    beside the rows (`PackedBase.open`).
    """

    def __init__(self, base: PackedBase, overlay: Mapping[bytes, bytes], n: int, t: int) -> None:
        self.n = n
        self.t = t
        self._base = base
        self._overlay = overlay
        self._index = IndexBuilder(len(base) + len(overlay))

    def __iter__(self) -> Iterator[bytes]:
        for rows in merged(self._base, self._overlay, self.t):
            self._index.add(rows)
            yield rows

    @property
    def index_bytes(self) -> bytes:
        """The new base's index."""
        return self._index.finish()


def merged(base: PackedBase, overlay: Mapping[bytes, bytes], t: int) -> Iterator[bytes]:
    """The rows of base and overlay that are alive at `t`, in order, in steps."""
    bits = max(len(base) // _ROWS_A_STEP, len(overlay) // _CHANGES_A_STEP).bit_length()
    groups: list[list[bytes]] = [[] for _ in range(1 << bits)]
    shift, fingerprints = 32 - bits, iter(overlay)
    while some := list(islice(fingerprints, 8 * _CHANGES_A_STEP)):
        for fingerprint in some:
            groups[int.from_bytes(fingerprint[:4], "big") >> shift].append(fingerprint)
        yield b""
    for rows, group in zip(base.split(bits), groups, strict=True):
        group.sort()
        yield _merged_part(rows, [(fingerprint, overlay[fingerprint]) for fingerprint in group], t)


def _merged_part(rows: bytes, changes: list[tuple[bytes, bytes]], t: int) -> bytes:
    words = words_of(rows)
    prefixes, expiries = words[0::5], words[4::5]
    cuts = (
        [(i, i + 1, b"") for i, at in enumerate(expiries) if at <= t] if rows and min(expiries) <= t else []
    )
    now = t.to_bytes(4, "big")
    for fingerprint, entry in changes:
        start = bisect_left(prefixes, int.from_bytes(fingerprint[:4], "big"))
        while rows[start * ROW_SIZE : start * ROW_SIZE + FINGERPRINT_SIZE] < fingerprint and start < len(
            prefixes
        ):
            start += 1
        end = start
        while rows[end * ROW_SIZE : end * ROW_SIZE + FINGERPRINT_SIZE] == fingerprint:
            end += 1
        cuts.append((start, end, _alive(entry, now)))
    if not cuts:
        return rows
    cuts.sort()
    parts, copied = [], 0
    for start, end, instead in cuts:
        if start > copied:
            parts.append(rows[copied * ROW_SIZE : start * ROW_SIZE])
        parts.append(instead)
        copied = max(copied, end)
    parts.append(rows[copied * ROW_SIZE :])
    return b"".join(parts)


def _alive(entry: bytes, now: bytes) -> bytes:
    if len(entry) == STAMP + ROW_SIZE:
        return entry[STAMP:] if entry[STAMP + _EXPIRES_AT :] > now else b""
    return b"".join(
        entry[start : start + ROW_SIZE]
        for start in range(STAMP, len(entry), ROW_SIZE)
        if entry[start + _EXPIRES_AT : start + ROW_SIZE] > now
    )
