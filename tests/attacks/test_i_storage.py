"""I07: a database that is locked, full, read-only or away. An error, and nothing half-done."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import event
from sqlalchemy.pool import Pool

from tests.issuer.http.authority import Authority
from tests.issuer.http.conftest import authority, made, postgres

__all__ = ["authority", "made", "postgres"]

ALICE = {"selector": {"kind": "subject", "values": ["alice"]}, "slot": "block"}


async def refused(authority: Authority, token: str) -> None:
    answer = await authority.call("POST", "/v1/revocations", token, json=ALICE)
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    assert answer.headers["Retry-After"] == "1"
    assert answer.json()["detail"] == "The database is not available. Nothing was done; try again."


async def undone_and_well_again(authority: Authority, token: str, n: int) -> None:
    """The log has not moved, and the same request works now."""
    assert (await authority.call("GET", "/v1/status", token)).json()["n"] == n
    receipt = (await authority.call("POST", "/v1/revocations", token, json=ALICE)).json()
    assert (receipt["n"], receipt["changed"]) == (n + 1, True)


async def test_i07_a_locked_database_refuses_and_does_nothing_by_halves(authority: Authority) -> None:
    token = await authority.token()
    n = (await authority.call("GET", "/v1/status", token)).json()["n"]
    other = sqlite3.connect(authority.storage.sqlite_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    await refused(authority, token)
    other.execute("ROLLBACK")
    other.close()
    await undone_and_well_again(authority, token, n)


@contextmanager
def every_connection(pragma: str) -> Iterator[None]:
    """Spoil the application's connections."""

    def spoil(connection: Any, *_: object) -> None:
        connection.execute(pragma)

    event.listen(Pool, "checkout", spoil)
    try:
        yield
    finally:
        event.remove(Pool, "checkout", spoil)


async def test_i07_a_read_only_database_refuses_and_does_nothing_by_halves(authority: Authority) -> None:
    token = await authority.token()
    n = (await authority.call("GET", "/v1/status", token)).json()["n"]
    with every_connection("PRAGMA query_only=1"):
        await refused(authority, token)
    with every_connection("PRAGMA query_only=0"):
        await undone_and_well_again(authority, token, n)


def large(number: int) -> dict[str, object]:
    selector = {"kind": "subject", "values": [f"user-{number}"]}
    return {"selector": selector, "slot": "block", "reason": "x" * 500}


async def test_i07_a_full_database_refuses_what_does_not_fit(authority: Authority) -> None:
    """It fills up somewhere between two requests: each is done or not done, and the log counts the ones that were."""
    token = await authority.token()
    n = (await authority.call("GET", "/v1/status", token)).json()["n"]
    done = 0
    with every_connection("PRAGMA max_page_count=1"):  # SQLite takes it as: not one page more
        # Judged is the one that did not fit: another, smaller one might still find room.
        while (answer := await authority.call("POST", "/v1/revocations", token, json=large(done))).is_success:
            done += 1
            assert done < 200
        assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    with every_connection("PRAGMA max_page_count=1000000"):
        listed = (await authority.call("GET", "/v1/revocations", token, params={"limit": 1000})).json()[
            "items"
        ]
        assert len(listed) == done
        await undone_and_well_again(authority, token, n + done)


async def test_i07_what_fails_last_undoes_what_came_before(authority: Authority) -> None:
    """The record, the table and the audit event are one: where the last of them does not fit, none is written."""
    token = await authority.token()
    n = (await authority.call("GET", "/v1/status", token)).json()["n"]
    other = sqlite3.connect(authority.storage.sqlite_file, isolation_level=None)
    other.execute("CREATE TRIGGER full BEFORE INSERT ON audit_outbox BEGIN SELECT RAISE(ABORT, 'full'); END")
    answer = await authority.call("POST", "/v1/revocations", token, json=ALICE)
    assert answer.status_code >= 500
    assert (await authority.call("GET", "/v1/revocations", token)).json()["items"] == []
    other.execute("DROP TRIGGER full")
    other.close()
    await undone_and_well_again(authority, token, n)


async def test_i07_a_token_request_is_told_to_come_back(authority: Authority) -> None:
    other = sqlite3.connect(authority.storage.sqlite_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answer = await authority.ask_token(authority.operator)
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    other.execute("ROLLBACK")
    other.close()
    assert (await authority.ask_token(authority.operator)).status_code == 200


async def test_i07_a_database_that_is_gone_is_not_ready_and_reveals_nothing(tmp_path: Path) -> None:
    async with Authority(tmp_path / "home") as authority:
        authority.storage.sqlite_file.write_bytes(b"not a database at all" * 1000)
        answer = await authority.http.get("/readyz")
        assert answer.status_code == 503
        assert "database" not in answer.text.replace("unavailable", "")


async def test_i07_a_postgresql_database_that_goes_away_and_comes_back(tmp_path: Path, postgres: str) -> None:
    """Errors while it is away, nothing half-done, and no restart needed."""
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute("CREATE DATABASE away_and_back")
        url = postgres.replace("/postgres?", "/away_and_back?")
        async with Authority(tmp_path / "home", database_url=url) as authority:
            token = await authority.token()
            n = (await authority.call("GET", "/v1/status", token)).json()["n"]
            admin.execute("ALTER DATABASE away_and_back ALLOW_CONNECTIONS false")
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'away_and_back'"
            )
            answer = await authority.call("POST", "/v1/revocations", token, json=ALICE)
            assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
            assert "away_and_back" not in answer.text  # nor host, port or account
            answer = await authority.ask_token(authority.operator)
            assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
            assert (await authority.http.get("/readyz")).status_code == 503
            assert (await authority.http.get("/healthz")).status_code == 200
            admin.execute("ALTER DATABASE away_and_back ALLOW_CONNECTIONS true")
            assert (await authority.http.get("/readyz")).status_code == 200
            assert (await authority.call("POST", "/v1/revocations", token, json=ALICE)).json()["n"] == n + 1
        admin.execute("DROP DATABASE away_and_back WITH (FORCE)")
