"""The guard on a real Kafka: what the network and the broker do to it."""

import time
from pathlib import Path
from typing import Any

import pytest
from tests.sdk.stage import stage, until

from revocast.schemas.topics import Topics
from revocast.sdk import Guard, TokenRevoked
from revocast.testing import Authority


@pytest.fixture
def authority() -> Authority:
    return Authority(now=int(time.time()))


def guard_on(kafka: str, authority: Authority, prefix: str, home: Path, **options: Any) -> Guard:
    return Guard(
        authority.issuer, authority.audience, kafka, authority.pin, prefix=prefix, state_dir=home, **options
    )


def refuses(guard: Guard, token: str) -> bool:
    try:
        guard.verify(token)
    except TokenRevoked:
        return True
    return False


async def test_a_guard_starts_current_and_follows(
    kafka: str, prefix: str, topics: Topics, authority: Authority, tmp_path: Path
) -> None:
    revoked, good = authority.mint(), authority.mint()
    authority.revoke(revoked)
    authority.checkpoint()
    async with stage(authority, topics, kafka) as staged:
        began = time.perf_counter()
        async with guard_on(kafka, authority, prefix, tmp_path) as guard:
            print("start", time.perf_counter() - began)
            assert refuses(guard, revoked) and not refuses(guard, good)
            authority.revoke(good)
            await staged.publish()
            began = time.perf_counter()
            await until(lambda: refuses(guard, good))
            print("follow", time.perf_counter() - began)
            assert guard.table() == (authority.position, authority.table.pack())
