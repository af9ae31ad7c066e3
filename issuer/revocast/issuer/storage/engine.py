"""Transactions on SQLite and PostgreSQL.

* A write is one transaction. SQLite takes the write lock at its beginning (`BEGIN IMMEDIATE`), so what a write reads
  cannot change under it; PostgreSQL locks the rows that the write names.
* A read sees one state of the database from its first to its last statement.
* A commit is on disk when it returns (`synchronous=FULL`): an acknowledged revocation survives a power cut.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, IntegrityError, TimeoutError
from sqlalchemy.orm import Session

from revocast.issuer.errors import InvalidRequest, StorageUnavailable
from revocast.issuer.storage.fair_lock import FairLock

__all__ = ["Storage"]

_BUSY_TIMEOUT_MS: Final = 5000
_MIGRATION_LOCK: Final = 0x7265766F_63617374  # "revocast"; relay election uses another number


class Storage:
    """The database at `url` (SQLAlchemy form: `sqlite:///…` or `postgresql://…`). Thread-safe."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        if parsed.get_backend_name() == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        elif parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
            raise InvalidRequest("database URL: must be postgresql://… or sqlite:///<file>")
        self.url = parsed
        self._engine = create_engine(parsed, pool_pre_ping=self.is_postgresql, pool_size=10, max_overflow=20)
        self._reading = self._engine
        # Threads of one process queue here instead of in SQLite's busy handler, which sleeps up to 100 ms a try.
        # In turn, so that whoever writes one thing after the other keeps nobody out.
        self._one_writer: FairLock | nullcontext[None] = nullcontext()
        if self.is_postgresql:
            self._reading = self._engine.execution_options(isolation_level="REPEATABLE READ")
        else:
            self._one_writer = FairLock()
            _prepare_sqlite(self._engine)
        self._writing = self._engine.execution_options(revocast_write=True)

    @property
    def is_postgresql(self) -> bool:
        """Whether several hosts can share this database."""
        return self.url.get_backend_name() == "postgresql"

    @property
    def sqlite_file(self) -> Path:
        """The database file of SQLite."""
        return Path(self.url.database or "")

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A write transaction: committed when the block ends, rolled back when it raises.

        Raises `StorageUnavailable` when the database is locked, full, read-only or away. If PostgreSQL is lost during
        the commit itself, the outcome is open; repeating a revocation is harmless.
        """
        with _translated(), self._one_writer, Session(self._writing) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One consistent state of the database. Raises `StorageUnavailable`."""
        with _translated(), Session(self._reading) as session, session.begin():
            yield session

    def hold(self) -> Connection:
        """One consistent state of the database, that of this moment, until the caller closes it. Raises `StorageUnavailable`."""
        with _translated():
            connection = self._reading.connect()
            try:
                # Both databases take the state at the first statement, not at BEGIN.
                connection.execute(text("SELECT n FROM head"))
            except BaseException:
                connection.close()
                raise
            return connection

    def migrate(self) -> None:
        """Bring the schema to this version. Processes that start together wait for each other."""
        config = Config()
        config.set_main_option("script_location", "revocast.issuer.storage:migrations")
        with _translated(), self._one_writer, self._writing.begin() as connection:
            if self.is_postgresql:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def close(self) -> None:
        """Close every pooled connection."""
        self._engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise
    except (DBAPIError, TimeoutError) as error:
        # The driver's text, not SQLAlchemy's: that one would repeat statement and parameters.
        cause = getattr(error, "orig", None) or error
        raise StorageUnavailable(f"database: {type(cause).__name__}: {str(cause).splitlines()[0]}") from error


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def configure(dbapi_connection: Any, _record: object) -> None:
        dbapi_connection.isolation_level = None  # the driver must not begin transactions of its own
        cursor = dbapi_connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("revocast_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
