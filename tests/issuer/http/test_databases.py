"""The whole operator API on each database, and a database that goes away and comes back."""

from pathlib import Path

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
