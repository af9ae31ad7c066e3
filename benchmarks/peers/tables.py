"""A table of random rows in a file, and where else services could keep its fingerprints."""

import itertools
import mmap
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from revocast.schemas.row import NEVER, ROW_SIZE, Row
from revocast.schemas.selector import FINGERPRINT_SIZE

__all__ = ["Find", "in_a_set", "in_lmdb", "in_sqlite", "mapped", "names_of", "write_table"]

Find = Callable[[bytes], object]

_PARTS: Final = 256
_REST: Final = FINGERPRINT_SIZE - 1


def write_table(path: Path, count: int) -> None:
    """So many blocked subjects, sorted, for ever."""
    tail = Row.for_block(bytes(FINGERPRINT_SIZE), 4, NEVER).pack()[FINGERPRINT_SIZE:]
    with path.open("wb") as file:
        for first in range(_PARTS):
            many = count // _PARTS + (first < count % _PARTS)
            random = os.urandom(_REST * many)
            names = sorted(random[start : start + _REST] for start in range(0, len(random), _REST))
            file.writelines(bytes((first,)) + name + tail for name in names)


def mapped(path: Path) -> mmap.mmap:
    """The file's bytes."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def names_of(path: Path) -> Iterator[bytes]:
    """The fingerprints, in order."""
    with path.open("rb") as file:
        while part := file.read(ROW_SIZE * 4096):
            for start in range(0, len(part), ROW_SIZE):
                yield part[start : start + FINGERPRINT_SIZE]


def in_a_set(path: Path) -> Find:
    """A Python set in every process."""
    return frozenset(names_of(path)).__contains__


def in_sqlite(path: Path, folder: Path) -> Find:
    """A primary key in a file, with a prepared statement."""
    database = sqlite3.connect(folder / f"{path.name}.db")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA mmap_size=4000000000")
    database.execute("CREATE TABLE revoked (name BLOB PRIMARY KEY) WITHOUT ROWID")
    database.executemany("INSERT INTO revoked VALUES (?)", ((name,) for name in names_of(path)))
    database.commit()
    execute = database.execute
    return lambda name: execute("SELECT 1 FROM revoked WHERE name = ?", (name,)).fetchone()


def in_lmdb(path: Path, folder: Path) -> Find:
    """A read transaction for each look-up: one that stays open would not see what is revoked later."""
    import lmdb

    environment: Any = lmdb.open(str(folder / f"{path.name}.lmdb"), map_size=1 << 32)
    names = names_of(path)
    while part := list(itertools.islice(names, 100_000)):
        with environment.begin(write=True) as writing:
            writing.cursor().putmulti([(name, b"") for name in part], append=True)
    begin = environment.begin

    def find(name: bytes) -> object:
        with begin(buffers=True) as reading:
            return reading.get(name)

    return find
