"""Fixtures of the attacks on the stream."""

import pytest

from revocast.testing import Authority
from tests.attacks.readers import Readers


@pytest.fixture
def issuer() -> Authority:
    """An issuer with a past: keys and event keys were rotated, alice is blocked, and was lifted and blocked before."""
    authority = Authority(claims=("tenant",))
    alice = authority.subject("alice")
    authority.block(alice)
    authority.lift(alice)
    authority.block(alice)
    authority.rotate("ES256")
    authority.cutoff(authority.client("app"))
    authority.rotate_event_key()
    authority.block(authority.session("s-1"))
    authority.checkpoint()
    return authority


@pytest.fixture
def readers(issuer: Authority) -> Readers:
    """A guard and a streams worker that have read everything."""
    return Readers(issuer)
