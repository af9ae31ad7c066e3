"""The local copy: the packed base as one file, which a restarted service maps instead of reading anything.

    0      header: what the rows are a table of, one CRC-32 for each part that follows, and one for itself
    65536  rows, 20 bytes each, as in every table
    …      the index (packed_index.py)

* It stands for the table after record n of one deployment's log: the issuer, a root that is trusted, epoch, n, hash and t of the
  record, and the offset of that record as a hint. Who begins from it goes on with record n + 1.
* It is written beside, forced to the disk, and renamed: there is the old file or the new one, never a part of one. The old one
  stays mapped where it is in use.
* Any byte that is not as it was written makes it unusable, and so does another version, issuer or root, and a row of a kind that
  only a later release knows. Then it is as if there were none.
* Rows are written, never stored through a mapping: a full disk is an error then, and not the end of the process.
* It is as private as the pinned root beside it: who can write here decides what is revoked. A file of another user is not used.
* Where nothing can be written, the same rows lie in memory of the process's own.
"""

import contextlib
import hashlib
import mmap
import os
import struct
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Final, NamedTuple

from revocast.schemas.record import Position
from revocast.schemas.row import KIND, KNOWN_FLAGS, ROW_SIZE
from revocast.sdk.own_file import open_own
from revocast.sdk.packed import NO_ROWS, PackedBase
from revocast.sdk.packed_index import UnusableIndex

__all__ = ["Copy", "Draft", "Identity", "LocalCopy", "Place", "Unusable"]

_MAGIC: Final = b"revocast"
_VERSION: Final = 1
_HEADER: Final = struct.Struct(">8sI32s43sQQ32sQQQQII")
_CRC: Final = struct.Struct(">I")
_ROWS_AT: Final = 65536
"""A multiple of every page size in use: rows are mapped from here on."""
_DRAFT: Final = ".draft"
_COPY_AT_ONCE: Final = 4 * 1024 * 1024
_KNOWN_KINDS: Final = frozenset(flags & KIND for flags in KNOWN_FLAGS)


class Unusable(ValueError):
    """The file cannot be used; the text says why."""


class Identity(NamedTuple):
    """Which file it is: another one has been put in its place when this changes."""

    device: int
    inode: int
    modified: int


@dataclass(frozen=True, slots=True)
class Place:
    """What a table is the table of. `root` is a thumbprint that was trusted then, `log_offset` that of record n, a hint."""

    issuer: str
    root: str
    position: Position
    log_offset: int


@dataclass(frozen=True, slots=True)
class Copy:
    """A base that lies in the file, and its place."""

    base: PackedBase
    place: Place
    identity: Identity


class LocalCopy:
    """The file. Everything here blocks."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def identity(self) -> Identity | None:
        """Which file stands there; None: none that can be seen."""
        try:
            return _identity(self.path.stat())
        except OSError:
            return None

    def load(self, issuer: str) -> Copy:
        """Map the file, every byte of which is checked. Raises `Unusable`, also when there is none."""
        try:
            with open_own(self.path) as file:
                return _read(file.fileno(), issuer)
        except FileNotFoundError:
            raise Unusable("there is none") from None
        except (OSError, UnicodeDecodeError, UnusableIndex) as error:
            raise Unusable(f"it cannot be read: {error}") from None

    def sweep(self) -> None:
        """Remove what writers that were killed have left. For the one who may write."""
        for path in self._drafts():
            with contextlib.suppress(OSError):
                path.unlink()

    def _drafts(self) -> Iterator[Path]:
        return self.path.parent.glob(f"{self.path.name}.*{_DRAFT}")


class Draft:
    """Rows that are being written, to become a base; and the local copy, if it is given.

    When the disk is full, or the folder is not ours to write, it goes on in memory: `problem` says why.
    """

    def __init__(self, copy: LocalCopy | None) -> None:
        self.problem = ""
        self._target = copy.path if copy else None
        self._path: Path | None = None
        self._file = self._beside(self._target) if self._target else _in_memory()
        self._rows = 0
        self._index = b""
        self._mapped: bytes | mmap.mmap = NO_ROWS

    def write(self, start: int, rows: bytes) -> None:
        """Put packed rows at row number `start`."""
        self._write(_ROWS_AT + start * ROW_SIZE, rows)

    def read(self, start: int, count: int) -> bytes:
        """Rows that were written."""
        self._file.seek(_ROWS_AT + start * ROW_SIZE)
        return self._file.read(count * ROW_SIZE)

    def finish(self, count: int, index: bytes) -> PackedBase:
        """All `count` rows are written: the base, with its index beside it."""
        self._rows, self._index = count, index
        self._write(_ROWS_AT + count * ROW_SIZE, index)
        self._mapped, index_view = _map(self._file.fileno(), count, len(index))
        return PackedBase.open(self._mapped, index_view)

    def publish(self, place: Place) -> Identity | None:
        """Make the finished base the local copy; None: it could not be. Blocks for as long as the disk takes."""
        if self._path is None or self._target is None:
            return None
        try:
            # Not `_write`: the base is whole already, and in memory instead of on a full disk it would be no copy.
            _write_all(self._file, 0, _header(place, self._rows, zlib.crc32(self._mapped), self._index))
            os.fsync(self._file.fileno())
            identity = _identity(os.fstat(self._file.fileno()))
            self._path.replace(self._target)
            self._path = None
            _sync_folder(self._target.parent)
        except OSError as error:
            self.problem = _unwritable(error)
            return None
        return identity

    def close(self) -> None:
        """Let go of the file. A base that was made of it stays."""
        self._unlink()
        self._file.close()

    def _write(self, at: int, data: bytes) -> None:
        try:
            _write_all(self._file, at, data)
        except OSError as error:
            if self._path is None:
                raise
            self.problem = _unwritable(error)
            named, self._file = self._file, _in_memory()
            _copy_all(named, self._file)
            self._unlink()
            named.close()
            _write_all(self._file, at, data)

    def _beside(self, target: Path) -> FileIO:
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, path = tempfile.mkstemp(_DRAFT, f"{target.name}.", target.parent)  # mode 0600
        except OSError as error:
            self.problem = _unwritable(error)
            return _in_memory()
        self._path = Path(path)
        return FileIO(handle, "r+b")

    def _unlink(self) -> None:
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()
            self._path = None


def _unwritable(error: OSError) -> str:
    return f"the local copy cannot be written: {error.strerror or error}"


def _read(handle: int, issuer: str) -> Copy:
    found = os.fstat(handle)
    if found.st_size < _ROWS_AT:
        raise Unusable("it is cut off")
    whole = memoryview(mmap.mmap(handle, 0, access=mmap.ACCESS_READ))
    header = whole[:_ROWS_AT]
    if zlib.crc32(header[: -_CRC.size]) != _CRC.unpack_from(header, _ROWS_AT - _CRC.size)[0]:
        raise Unusable("its header is damaged")
    (
        magic,
        version,
        written_for,
        root,
        epoch,
        n,
        record_hash,
        t,
        offset,
        count,
        index_size,
        rows_crc,
        index_crc,
    ) = _HEADER.unpack_from(header)
    if (magic, version) != (_MAGIC, _VERSION):
        raise Unusable("it was written by another version")
    if written_for != _digest(issuer):
        raise Unusable("it is of another issuer")
    index_at = _ROWS_AT + count * ROW_SIZE
    if found.st_size != index_at + index_size:
        raise Unusable("it is cut off, or goes on")
    if zlib.crc32(whole[_ROWS_AT:index_at]) != rows_crc or zlib.crc32(whole[index_at:]) != index_crc:
        raise Unusable("it is damaged")
    rows, index = _map(handle, count, index_size)
    base = PackedBase.open(rows, index)
    if not base.kinds.keys() <= _KNOWN_KINDS:
        raise Unusable("it holds a row of a kind that this version does not know")
    position = Position(epoch, n, record_hash, t)
    return Copy(base, Place(issuer, root.decode(), position, offset), _identity(found))


def _header(place: Place, count: int, rows_crc: int, index: bytes) -> bytes:
    position = place.position
    fields = _HEADER.pack(
        _MAGIC,
        _VERSION,
        _digest(place.issuer),
        place.root.encode(),
        position.epoch,
        position.n,
        position.hash,
        position.t,
        place.log_offset,
        count,
        len(index),
        rows_crc,
        zlib.crc32(index),
    )
    header = fields.ljust(_ROWS_AT - _CRC.size, b"\0")
    return header + _CRC.pack(zlib.crc32(header))


def _map(handle: int, count: int, index_size: int) -> tuple[bytes | mmap.mmap, memoryview]:
    # Two mappings of the same pages: rows are looked up in one that begins with them, an index begins where no page does.
    index_at = _ROWS_AT + count * ROW_SIZE
    whole = memoryview(mmap.mmap(handle, index_at + index_size, access=mmap.ACCESS_READ))
    if not count:
        return NO_ROWS, whole[index_at:]
    return mmap.mmap(handle, count * ROW_SIZE, access=mmap.ACCESS_READ, offset=_ROWS_AT), whole[index_at:]


def _in_memory() -> FileIO:
    """A file that nobody else sees, and that is gone with the last mapping of it."""
    if hasattr(os, "memfd_create"):
        return FileIO(os.memfd_create("revocast"), "r+b")
    handle, path = tempfile.mkstemp()
    with contextlib.suppress(OSError):
        Path(path).unlink()
    return FileIO(handle, "r+b")


def _write_all(file: FileIO, at: int, data: bytes) -> None:
    view = memoryview(data)
    file.seek(at)
    while view:
        view = view[file.write(view) or 0 :]


def _copy_all(source: FileIO, target: FileIO) -> None:
    source.seek(0)
    at = 0
    while part := source.read(_COPY_AT_ONCE):
        _write_all(target, at, part)
        at += len(part)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _identity(found: os.stat_result) -> Identity:
    return Identity(found.st_dev, found.st_ino, found.st_mtime_ns)


def _digest(issuer: str) -> bytes:
    return hashlib.sha256(issuer.encode()).digest()
