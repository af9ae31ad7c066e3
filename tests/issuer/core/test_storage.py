"""The database: migrated, away, locked, full, read-only."""

import os
import sqlite3
import threading
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from revocast.issuer.errors import InvalidRequest, StorageUnavailable
from revocast.issuer.storage import Storage
from revocast.issuer.storage.tables import Base
from tests.issuer.core.authority import Authority, model_of


def test_the_migrations_make_the_tables_that_the_code_maps(authority: Authority) -> None:
    engine = create_engine(authority.storage.url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def test_migrating_again_and_at_the_same_time_changes_nothing(authority: Authority) -> None:
    failures: list[Exception] = []

    def migrate() -> None:
        storage = Storage(authority.url)
        try:
            storage.migrate()
        except Exception as error:
            failures.append(error)
        finally:
            storage.close()

    threads = [threading.Thread(target=migrate) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [] and authority.service.status().n == 1


def test_a_read_sees_one_state_from_first_to_last_statement(authority: Authority) -> None:
    with authority.storage.read() as session:
        count = text("SELECT count(*) FROM live_row")
        before = session.scalar(count)
        authority.block_one_more()
        assert session.scalar(count) == before


def test_what_fails_half_way_leaves_nothing(authority: Authority) -> None:
    before = authority.service.status()

    def fail_half_way() -> None:
        with authority.storage.write() as session:
            session.execute(text("DELETE FROM head"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert authority.service.status() == before


def test_an_unknown_database_is_refused_with_its_variable() -> None:
    for url in ("mysql://x/y", "sqlite://", "sqlite:///:memory:"):
        with pytest.raises(InvalidRequest, match="database URL"):
            Storage(url)


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "home")


def test_a_full_sqlite_is_an_error_and_nothing_is_half_done(on_sqlite: Authority) -> None:
    before = on_sqlite.service.status()

    def fill(limit: int) -> None:
        with on_sqlite.storage.read() as session:
            session.execute(text(f"PRAGMA max_page_count={limit}"))

    fill(1)  # SQLite raises it to what the file has now
    with pytest.raises(StorageUnavailable, match="full"):
        [on_sqlite.block_one_more() for _ in range(200)]
    after = on_sqlite.service.status()
    assert after.table == model_of(on_sqlite.service).pack() and after.n < before.n + 200
    fill(1_000_000)
    assert on_sqlite.block_one_more().n == after.n + 1
    on_sqlite.close()


def test_a_locked_sqlite_is_an_error_and_works_again(on_sqlite: Authority) -> None:
    with on_sqlite.storage.read() as session:
        session.execute(text("PRAGMA busy_timeout=50"))
    other = sqlite3.connect(on_sqlite.storage.sqlite_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageUnavailable, match="locked"):
        on_sqlite.block_one_more()
    other.execute("ROLLBACK")
    other.close()
    assert on_sqlite.block_one_more().n == 2
    on_sqlite.close()


def test_a_read_only_sqlite_is_an_error(on_sqlite: Authority) -> None:
    with on_sqlite.storage.read() as session:
        session.execute(text("PRAGMA query_only=1"))
    with pytest.raises(StorageUnavailable, match="readonly"):
        on_sqlite.block_one_more()
    assert on_sqlite.service.status().n == 1
    on_sqlite.close()


def test_a_postgresql_that_cuts_its_connections_is_used_again(tmp_path: Path, postgres: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as server:
        server.execute(f"CREATE DATABASE cut_{os.getpid()}")
        url = postgres.replace("/postgres?", f"/cut_{os.getpid()}?")
        authority = Authority(tmp_path / "home", url)
        authority.block_one_more()
        terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"

        def cut_in_the_middle() -> None:
            with authority.storage.write() as session:
                session.execute(text("SELECT 1"))
                server.execute(terminate, (f"cut_{os.getpid()}",))
                session.execute(text("SELECT 1"))

        with pytest.raises(StorageUnavailable):
            cut_in_the_middle()
        assert authority.block_one_more().n == 3
        authority.close()
        server.execute(f"DROP DATABASE cut_{os.getpid()} WITH (FORCE)")


def test_an_error_names_no_statement_and_no_parameter(on_sqlite: Authority) -> None:
    with on_sqlite.storage.read() as session:
        session.execute(text("PRAGMA query_only=1"))
    with pytest.raises(StorageUnavailable) as raised:
        on_sqlite.block("subject", "a-secret-name")
    assert "a-secret-name" not in str(raised.value) and "INSERT" not in str(raised.value)
    on_sqlite.close()
