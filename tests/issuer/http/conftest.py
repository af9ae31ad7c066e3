"""An issuer for each test."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from revocast.issuer.bootstrap import Home, Plan, init
from tests.issuer.core.conftest import database, postgres
from tests.issuer.http.authority import ISSUER, Authority

__all__ = ["database", "postgres"]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `init` makes, once for the run: its keys are slow to make."""
    home = tmp_path_factory.mktemp("made") / "home"
    init(Home(home), Plan(ISSUER, claims=("tenant",)))
    return home


@pytest.fixture
async def authority(tmp_path: Path, made: Path) -> AsyncIterator[Authority]:
    """A new issuer on SQLite, without a relay."""
    shutil.copytree(made, tmp_path / "home")
    async with Authority(tmp_path / "home") as authority:
        yield authority
