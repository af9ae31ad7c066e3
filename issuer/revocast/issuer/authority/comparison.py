"""Two sides computed the same table apart from each other: are they the same bytes, and if not, which row is the first?

* The place first: epoch, n, hash and t of the cut's record, the root in force, and key versions that were there at the cut.
* Then every chunk: its hash, its rows, its first and last bucket.
* Where a chunk differs, rows are compared one by one, from the first row of the first chunk that differs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from revocast.schemas.errors import MalformedRow
from revocast.schemas.record import Position
from revocast.schemas.row import FLAGS_AT, KIND, NEVER, SLOT, Row, Slot
from revocast.schemas.snapshot import Manifest
from revocast.schemas.table import packed_rows

__all__ = ["DerivedChunk", "DerivedTable", "Difference", "first_difference", "place_problem"]


@dataclass(frozen=True, slots=True)
class DerivedChunk:
    """What a chunk of our own must be."""

    sha256: bytes
    rows: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class DerivedTable:
    """The table at a cut, as the database gives it. The versions are those that the cut's record names."""

    position: Position
    delegations: int
    key_set: int
    chunks: Sequence[DerivedChunk]

    @property
    def rows(self) -> int:
        """How many rows are alive."""
        return sum(chunk.rows for chunk in self.chunks)

    def differing_chunk(self, manifest: Manifest) -> int | None:
        """The index of the first chunk that is not the same on both sides; None: all are."""
        theirs = [DerivedChunk(each.sha256, each.rows, each.first, each.last) for each in manifest.chunks]
        pairs = enumerate(zip_longest(self.chunks, theirs))
        return next((index for index, (ours, other) in pairs if ours != other), None)


@dataclass(frozen=True, slots=True)
class Difference:
    """The first row that is not the same on both sides, packed; None: that side has no such row. `index` counts rows from 0."""

    index: int
    ours: bytes | None
    theirs: bytes | None

    def __str__(self) -> str:
        return f"row {self.index}: the issuer has {_said(self.ours)}, streams have {_said(self.theirs)}"


def place_problem(
    manifest: Manifest, derived: DerivedTable, root: str, versions: tuple[int, int]
) -> str | None:
    """Why the manifest is not of this cut. `root` and `versions` (delegations, key set) are those in force now."""
    if manifest.position != derived.position:
        return "epoch, n, hash or t is not that of the cut's record"
    if manifest.root != root:
        return "root: is not the root in force"
    if not derived.delegations <= manifest.delegations <= versions[0]:
        return f"delegations: version {manifest.delegations} was not in force"
    if not derived.key_set <= manifest.key_set <= versions[1]:
        return f"key_set: version {manifest.key_set} was not in force"
    return None


def first_difference(ours: bytes, theirs: bytes, index: int) -> Difference | None:
    """Compare packed rows, of which the first is row `index` of the table; None: they are the same."""
    for place, (one, two) in enumerate(zip_longest(packed_rows(ours), packed_rows(theirs)), start=index):
        if one == two:
            continue
        if one and two and _key(one) != _key(two):
            # The smaller one is the one that the other side lacks.
            return Difference(place, one, None) if _key(one) < _key(two) else Difference(place, None, two)
        return Difference(place, one, two)
    return None


def _key(row: bytes) -> tuple[bytes, int, int]:
    flags = row[FLAGS_AT] if len(row) > FLAGS_AT else 0
    return row[:FLAGS_AT], flags & KIND, flags & SLOT


def _said(packed: bytes | None) -> str:
    if packed is None:
        return "none"
    try:
        row = Row.unpack(packed)
    except MalformedRow:
        return f"{packed.hex()}, which is no row"
    what = "a lift" if row.lift else "a block" if row.slot is Slot.BLOCK else f"cutoff {row.cutoff}"
    until = "never ends" if row.expires_at == NEVER else f"ends {row.expires_at}"
    return f"{row.fingerprint.hex()} (kind {row.kind}, {what}, {until})"
