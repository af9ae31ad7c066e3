"""S11: a compromised operator who writes revocations without end."""

import hashlib
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from revocast.schemas.row import NEVER, Row
from revocast.sdk.denylist import DenyList
from tests.issuer.core.authority import FakeClock
from tests.issuer.http.authority import ISSUER, Authority, Credentials
from tests.issuer.http.conftest import made

__all__ = ["made"]

BUDGET = 5
BYTES_A_ROW = 200
"""What docs/embedding.md says that a row costs a service, at most."""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def authority(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Authority]:
    """An issuer whose operators may write five revocations a day."""
    async with Authority(tmp_path / "home", clock=clock, operator_writes=BUDGET) as authority:
        yield authority


async def write(authority: Authority, sub: str, token: str | None = None, to: str = "revocations") -> int:
    body = {"selector": {"kind": "subject", "values": [sub]}, "slot": "block"}
    answer = await authority.call("POST", f"/v1/{to}", token, json=body)
    return answer.status_code


async def used_up(authority: Authority) -> None:
    for number in range(BUDGET):
        assert await write(authority, f"user-{number}") == 200


async def another_operator(authority: Authority) -> Credentials:
    access = {ISSUER: ["revocast:revoke", "revocast:lift"]}
    registered = await authority.operate("POST", "/v1/clients", name="Another", access=access)
    return registered["client_id"], registered["client_secret"]


async def test_s11_an_operators_writes_are_bounded_and_the_refusal_is_told_audited_and_counted(
    authority: Authority, clock: FakeClock
) -> None:
    await used_up(authority)
    body = {"selector": {"kind": "subject", "values": ["one-too-many"]}, "slot": "block"}
    answer = await authority.call("POST", "/v1/revocations", json=body)
    assert answer.status_code == 429
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "too_many_writes"
    assert int(answer.headers["retry-after"]) == 86_400 / BUDGET
    assert await write(authority, "user-0", to="lifts") == 429
    denied = authority.audited("revocast.access.denied")
    assert [event["data"]["reason"] for event in denied] == ["too_many_writes"] * 2
    status = await authority.operate("GET", "/v1/status")
    assert status["table"]["rows"] == BUDGET
    assert any("operator operator had 2 writes refused" in warning for warning in status["warnings"])
    clock.now += int(answer.headers["retry-after"])
    assert await write(authority, "later") == 200
    assert await write(authority, "sooner") == 429


async def test_s11_the_budget_of_one_operator_hinders_no_other(authority: Authority) -> None:
    await used_up(authority)
    assert await write(authority, "one-too-many") == 429
    token = await authority.token(await another_operator(authority), resource=ISSUER)
    assert await write(authority, "another", token) == 200


async def test_s11_break_glass_and_reading_are_not_counted(authority: Authority) -> None:
    await used_up(authority)
    (key,) = (await authority.operate("GET", "/v1/keys"))["items"]
    receipt = await authority.operate("POST", f"/v1/keys/{key['kid']}/revoke", reason="leaked")
    assert receipt["changed"]


async def test_s11_who_may_not_write_has_no_budget_to_use_up(authority: Authority) -> None:
    reader = await authority.operate("POST", "/v1/clients", name="Reader", access={ISSUER: ["revocast:read"]})
    token = await authority.token((reader["client_id"], reader["client_secret"]), resource=ISSUER)
    for number in range(BUDGET + 1):
        assert await write(authority, f"user-{number}", token) == 403
    await used_up(authority)


@pytest.mark.parametrize("rows", [30_000, 100_000])
def test_s11_a_row_costs_a_service_the_bytes_that_are_stated(rows: int) -> None:
    denylist = DenyList()
    tracemalloc.start()
    try:
        for start in range(0, rows, 1000):
            names = (hashlib.sha256(b"%d" % number).digest() for number in range(start, start + 1000))
            denylist.apply([Row.for_block(name[:11], 4, NEVER) for name in names], 1)
        used, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(denylist) == rows
    assert used / rows < BYTES_A_ROW
    assert peak / rows < BYTES_A_ROW
