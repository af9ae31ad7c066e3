"""An issuer for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.issuer.core.conftest import database, postgres
from tests.issuer.http.authority import Authority

__all__ = ["database", "postgres"]


@pytest.fixture
async def authority(tmp_path: Path) -> AsyncIterator[Authority]:
    """A new issuer on SQLite, without a relay."""
    async with Authority(tmp_path / "home") as authority:
        yield authority
