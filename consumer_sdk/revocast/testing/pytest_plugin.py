"""Fixtures for services that embed the guard. Installed with the SDK; no import, no configuration.

def test_signed_out_users_are_refused(revocast_authority, revocast_guard):
    client = TestClient(make_app(revocast_guard))
    token = revocast_authority.mint(sub="alice", scope="orders:read")
    revocast_authority.cutoff(revocast_authority.subject("alice"))
    assert client.get("/orders", headers={"Authorization": f"Bearer {token}"}).status_code == 401
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from revocast.testing import Authority, InMemoryGuard

__all__ = ["revocast_authority", "revocast_guard"]

# Imported in the fixtures: a plugin is loaded in every run, also in those that never use it.


@pytest.fixture
def revocast_authority() -> "Authority":
    """An issuer in memory: mints tokens, revokes, blocks, lifts, rotates and revokes keys."""
    from revocast.testing import Authority

    return Authority()


@pytest.fixture
def revocast_guard(revocast_authority: "Authority") -> "InMemoryGuard":
    """A guard that follows `revocast_authority`, ready, for its audience (`orders`)."""
    from revocast.testing import InMemoryGuard

    return InMemoryGuard(revocast_authority)
