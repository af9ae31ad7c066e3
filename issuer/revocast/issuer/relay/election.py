"""Which process's relay publishes. Losing is always noticed before the next publish.

PostgreSQL: a session advisory lock on a connection of its own; it is held exactly as long as that connection lives.
SQLite: a lock on a file beside the database, which the kernel drops with the process, however it dies.

The elected one also looks here for what other processes committed, many times a second: on its own connection that costs
next to nothing.
"""

import sqlite3
from pathlib import Path
from typing import Final, LiteralString, Protocol

import psycopg
from filelock import FileLock, Timeout

from revocast.issuer.errors import StorageUnavailable
from revocast.issuer.storage import Storage

__all__ = ["Election", "ElectionLost", "election_for"]

_ADVISORY_KEY: Final = 0x7265766F_72656C61  # "revorela"
_CONNECT_S: Final = 5


class ElectionLost(Exception):
    """This process is not the elected one any more: stand again, and check the log again."""


class Election(Protocol):
    """One seat, for which every issuer process stands."""

    async def stand(self) -> bool:
        """Try to take the seat; at once. Raises `StorageUnavailable` when the database does not answer."""
        ...

    async def check(self) -> None:
        """Raise `ElectionLost` unless the seat is still ours."""
        ...

    async def marks(self) -> tuple[int, ...]:
        """Something that differs after any process committed something to publish. May raise `ElectionLost`."""
        ...

    async def resign(self) -> None:
        """Leave the seat to another process."""
        ...


def election_for(storage: Storage) -> Election:
    """The election that fits the database."""
    if storage.is_postgresql:
        url = storage.url.set(drivername="postgresql")
        return AdvisoryLock(url.render_as_string(hide_password=False))
    return LockFile(storage.sqlite_file)


class LockFile:
    """A locked file. Someone who deletes it lets a second process in, so the file's identity is checked, too."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = database.with_name(database.name + ".relay")
        self._connection: sqlite3.Connection | None = None
        self._lock = FileLock(self._path, blocking=False, thread_local=False, mode=0o600)
        self._identity = (0, 0)

    async def stand(self) -> bool:
        """Try to lock the file."""
        try:
            self._lock.acquire()
            self._identity = self._read_identity()
            if self._connection is None:
                self._connection = sqlite3.connect(self._database, isolation_level=None)
        except Timeout:
            return False
        except (OSError, sqlite3.Error) as error:
            await self.resign()
            raise StorageUnavailable(f"relay lock: {type(error).__name__}: {error}") from None
        return True

    async def check(self) -> None:
        """Compare the locked file with the one that has its name."""
        try:
            same = self._lock.is_locked and self._read_identity() == self._identity
        except OSError:
            same = False
        if not same:
            raise ElectionLost("the relay's lock file is not the one that was locked")

    async def marks(self) -> tuple[int, ...]:
        """SQLite's own counter of what other connections committed: read from shared memory, never waiting."""
        if self._connection is None:
            raise ElectionLost("not elected")
        try:
            return tuple(self._connection.execute("PRAGMA data_version").fetchone())
        except sqlite3.Error as error:
            raise ElectionLost(f"the relay's database connection: {type(error).__name__}") from None

    async def resign(self) -> None:
        """Unlock."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._lock.release(force=True)

    def _read_identity(self) -> tuple[int, int]:
        status = self._path.stat()
        return status.st_dev, status.st_ino


class AdvisoryLock:
    """A PostgreSQL session advisory lock."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: psycopg.AsyncConnection | None = None

    async def stand(self) -> bool:
        """Connect if need be, and try to take the lock."""
        try:
            if self._connection is None or self._connection.closed:
                self._connection = await psycopg.AsyncConnection.connect(
                    self._conninfo,
                    autocommit=True,
                    connect_timeout=_CONNECT_S,
                    # A server that vanished without a word is noticed within seconds, not hours.
                    keepalives_idle=5,
                    keepalives_interval=2,
                    keepalives_count=3,
                    tcp_user_timeout=10_000,
                )
            answer = await self._connection.execute("SELECT pg_try_advisory_lock(%s)", (_ADVISORY_KEY,))
            row = await answer.fetchone()
        except psycopg.Error as error:
            await self.resign()
            raise StorageUnavailable(f"database: {type(error).__name__}") from None
        return bool(row and row[0])

    async def check(self) -> None:
        """The lock lives as long as its connection: ask on it."""
        await self._ask("SELECT 1")

    async def marks(self) -> tuple[int, ...]:
        """The heads of what is to be published."""
        return await self._ask("SELECT epoch, n, key_set, (SELECT max(seq) FROM audit_outbox) FROM head")

    async def _ask(self, question: LiteralString) -> tuple[int, ...]:
        try:
            if self._connection is None:
                raise ElectionLost("not connected to the database")
            answer = await self._connection.execute(question)
            return tuple(await answer.fetchone() or ())
        except psycopg.Error as error:
            raise ElectionLost(f"the relay's database connection: {type(error).__name__}") from None

    async def resign(self) -> None:
        """Close the connection, and with it the lock."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None
