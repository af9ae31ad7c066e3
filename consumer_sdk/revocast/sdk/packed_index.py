"""The index of packed rows: where the rows of a fingerprint begin, and a filter that says for most fingerprints that there are none.

* Fingerprints are uniform, so their first bits say where to look. Buckets of about a dozen rows: a search is one slice and one
  scan of it in C. The filter has a bit for each of 8 to 16 times as many prefixes as there are rows: a prefix without a row
  has a zero, and needs no look at the rows at all.
* It is made as the rows come, a part at a time, and stored beside them, so that who maps a file rebuilds nothing.
* It is in the byte order of the machine that made it, and trusted like the rows: whoever reads it from a file checks the file's
  checksum first. Another version or byte order is an `UnusableIndex`: make it anew.
* It holds, too, what a reader would have to look at every row for: rows by kind, and a sample of when they expire.
"""

import struct
from array import array
from bisect import bisect_left
from collections.abc import Mapping
from sys import byteorder
from typing import Final, NamedTuple

from revocast.schemas.row import FLAGS_AT, KIND, ROW_SIZE

__all__ = ["Index", "IndexBuilder", "UnusableIndex", "words_of"]

_MAGIC: Final = b"rvcindex"
_VERSION: Final = 1
_NATIVE: Final = 0x01020304
_HEADER: Final = struct.Struct("=8sIIQIII")
_KINDS: Final = KIND + 1
_WORD: Final = 4
_PREFIX_BITS: Final = 32
_SAMPLES: Final = 1024


class UnusableIndex(ValueError):
    """An index that is not of these rows, this version or this byte order."""


class Index(NamedTuple):
    """An index that was read. A prefix is the first 32 bits of a fingerprint."""

    starts: memoryview
    """By the first `bucket_bits` of a prefix: the number of the bucket's first row; one more entry at the end."""
    bucket_bits: int
    filter: memoryview
    """A bit by the first `filter_bits` of a prefix, lowest first in its byte; empty: there is no filter."""
    filter_bits: int
    kinds: Mapping[int, int]
    """Rows by kind."""
    expiries: tuple[int, ...]
    """When a sample of the rows expire, ascending, seconds since 1970."""

    @classmethod
    def read(cls, data: bytes | memoryview, count: int) -> "Index":
        """The index in `data`, of `count` rows. Raises `UnusableIndex`."""
        view = memoryview(data).cast("B")
        if len(view) < _HEADER.size:
            raise UnusableIndex("index: is cut off")
        magic, version, native, rows, bucket_bits, filter_bits, samples = _HEADER.unpack_from(view)
        if (magic, version, native) != (_MAGIC, _VERSION, _NATIVE):
            raise UnusableIndex("index: was written by another version or on another kind of machine")
        if rows != count or bucket_bits > _PREFIX_BITS or filter_bits > _PREFIX_BITS or samples > _SAMPLES:
            raise UnusableIndex("index: is not of these rows")
        sizes = [_KINDS * _WORD, samples * _WORD, ((1 << bucket_bits) + 1) * _WORD]
        sizes.append(1 << filter_bits >> 3 if filter_bits else 0)
        if len(view) != _HEADER.size + sum(sizes):
            raise UnusableIndex("index: has another length than it says")
        parts, at = [], _HEADER.size
        for size in sizes:
            parts.append(view[at : at + size])
            at += size
        kinds = {kind: number for kind, number in enumerate(parts[0].cast("I")) if number}
        starts = parts[2].cast("I")
        if starts[-1] != count:
            raise UnusableIndex("index: is not of these rows")
        return cls(starts, bucket_bits, parts[3], filter_bits, kinds, tuple(parts[1].cast("I")))


def words_of(rows: bytes) -> "array[int]":
    """Packed rows as five numbers each: the first is the fingerprint's prefix, the last is when the row expires."""
    words = array("I", rows)
    if byteorder == "little":
        words.byteswap()
    return words


class IndexBuilder:
    """Makes the index of rows that come in their order, a part at a time.

    `expected` is about how many will come: it fixes the sizes, and being wrong costs speed or space only. Without the filter
    it is made in less than half the time.
    """

    def __init__(self, expected: int, *, with_filter: bool = True) -> None:
        magnitude = max(expected - 1, 0).bit_length()
        self._bucket_bits = min(max(magnitude - 4, 0), _PREFIX_BITS)
        self._filter_bits = min(magnitude + 3, _PREFIX_BITS) if with_filter else 0
        self._cells: list[bytes] = []
        self._cells_end = 0
        self._starts = array("I", [0])
        self._kinds = [0] * _KINDS
        self._samples = array("I")
        self._stride = max(1, expected // (_SAMPLES // 2))
        self._count = 0

    def add(self, rows: bytes) -> None:
        """The next rows: whole, and behind those that came before."""
        if not rows:
            return
        words = words_of(rows)
        prefixes = words[0::5]
        self._add_starts(prefixes)
        if self._filter_bits:
            self._add_filter(prefixes)
        flags = rows[FLAGS_AT::ROW_SIZE]
        for value in set(flags):
            self._kinds[value & KIND] += flags.count(value)
        if len(self._samples) < _SAMPLES:
            self._samples += words[4::5][-self._count % self._stride :: self._stride]
        self._count += len(prefixes)

    def finish(self) -> bytes:
        """The index of the rows that were added."""
        buckets = 1 << self._bucket_bits
        self._starts.extend([self._count] * (buckets + 1 - len(self._starts)))
        samples = array("I", sorted(self._samples[:_SAMPLES]))
        header = _HEADER.pack(
            _MAGIC, _VERSION, _NATIVE, self._count, self._bucket_bits, self._filter_bits, len(samples)
        )
        kinds = array("I", self._kinds)
        rest = bytes((1 << self._filter_bits >> 3) - self._cells_end if self._filter_bits else 0)
        return b"".join((header, kinds, samples, self._starts, *self._cells, rest))

    def _add_starts(self, prefixes: "array[int]") -> None:
        """Where every bucket begins up to the one of the last prefix."""
        shift, count, starts = _PREFIX_BITS - self._bucket_bits, self._count, self._starts
        add, length, low = starts.append, len(prefixes), 0
        # Uniform: a bucket's end lies a few rows behind its beginning, nearly always.
        reach = 64
        for first in range(len(starts) << shift, prefixes[-1] + 1, 1 << shift):
            high = low + reach
            if high > length or prefixes[high - 1] < first:
                high = length
            low = bisect_left(prefixes, first, low, high)
            add(count + low)

    def _add_filter(self, prefixes: "array[int]") -> None:
        """A cell a byte first, because that is one store a row; then eight cells a byte, all at once."""
        shift = _PREFIX_BITS - self._filter_bits
        first = prefixes[0] >> shift + 3
        cells = bytearray((prefixes[-1] >> shift + 3) + 1 - first << 3)
        origin = first << 3
        for prefix in prefixes:
            cells[(prefix >> shift) - origin] = 1
        bits = 0
        for place in range(8):
            bits |= int.from_bytes(cells[place::8], "little") << place
        if self._cells_end > first:
            # The part before this one ended in the same byte.
            bits |= self._cells[-1][0]
            self._cells.pop()
            self._cells_end -= 1
        packed = bits.to_bytes(len(cells) // 8, "little")
        self._cells += (bytes(first - self._cells_end), packed[:-1], packed[-1:])
        self._cells_end = first + len(packed)
