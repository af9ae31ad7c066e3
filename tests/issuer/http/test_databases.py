"""The whole operator API on each database, and a database that goes away and comes back."""

from pathlib import Path

import psycopg

from tests.issuer.http.authority import AUDIENCE, Authority

ALICE = {"selector": {"kind": "subject", "values": ["alice"]}, "slot": "block"}


async def test_everything_works_on_each_database(tmp_path: Path, database: str | None) -> None:
    async with Authority(tmp_path / "home", database_url=database) as authority:
        token = await authority.user_token("alice", sid="s1", claims={"tenant": "acme"})
        service = await authority.client(introspects=[AUDIENCE])
        selector = {"kind": "claim:tenant", "values": ["acme"]}
        receipt = await authority.operate(
            "POST", "/v1/revocations", selector=selector, slot="block", reason="Ünï ✓"
        )
        assert await authority.answer_for(token) == "token_revoked"
        introspected = await authority.http.post("/oauth/introspect", auth=service, data={"token": token})
        assert introspected.json() == {"active": False}
        (item,) = (await authority.operate("GET", "/v1/revocations", kind="claim:tenant", value="acme"))[
            "items"
        ]
        assert (item["n"], item["reason"]) == (receipt["n"], "Ünï ✓")
        await authority.operate("POST", "/v1/lifts", selector=selector, slot="block")
        assert await authority.answer_for(token) == "ok"
        await authority.operate("POST", "/v1/keys/rotate")
        entries = (await authority.operate("GET", "/v1/log"))["items"]
        assert [entry["n"] for entry in entries] == [1, 2, 3]
        assert (await authority.ask_token(("nobody", "wrong"))).status_code == 401
        own = await authority.token(service)
        assert (
            await authority.http.post("/oauth/revoke", auth=service, data={"token": own})
        ).status_code == 200
        assert await authority.answer_for(own) == "token_revoked"


async def test_a_database_that_goes_away_and_comes_back(tmp_path: Path, postgres: str) -> None:
    """I07, PostgreSQL: errors while it is away, nothing half-done, and no restart needed."""
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
            answer = await authority.ask_token(authority.operator)
            assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
            assert (await authority.http.get("/readyz")).status_code == 503
            assert (await authority.http.get("/healthz")).status_code == 200
            admin.execute("ALTER DATABASE away_and_back ALLOW_CONNECTIONS true")
            assert (await authority.http.get("/readyz")).status_code == 200
            assert (await authority.call("POST", "/v1/revocations", token, json=ALICE)).json()["n"] == n + 1
        admin.execute("DROP DATABASE away_and_back WITH (FORCE)")
