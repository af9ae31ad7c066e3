"""Revoke, lift, list and explain over the operator API."""

import json
from typing import Any

import pytest

from revocast.schemas.row import Slot
from revocast.schemas.selector import Selector, fingerprint
from revocast.schemas.table import Table
from tests.issuer.http.authority import ISSUER, Authority, claims_of

ALICE = {"kind": "subject", "values": ["alice"]}


async def problem(authority: Authority, path: str, body: object) -> tuple[int, str, list[str]]:
    # ASCII, so that a lone surrogate can be sent.
    bearer = {"Authorization": f"Bearer {await authority.token()}", "Content-Type": "application/json"}
    answer = await authority.http.post(path, headers=bearer, content=json.dumps(body))
    assert answer.headers["Content-Type"] == "application/problem+json"
    told = answer.json()
    return answer.status_code, told["code"], [error["field"] for error in told["errors"]]


async def test_a_cutoff_refuses_what_was_issued_until_now(authority: Authority) -> None:
    token = await authority.user_token("alice")
    receipt = await authority.operate(
        "POST", "/v1/revocations", selector=ALICE, slot="cutoff", reason="phone lost"
    )
    (row,) = receipt.pop("revocations")
    assert receipt == {"status": "pending", "epoch": 1, "n": receipt["n"], "t": receipt["t"], "changed": True}
    assert row["selector"] == {"issuer": ISSUER, **ALICE}
    assert (row["slot"], row["lift"], row["cutoff"]) == ("cutoff", False, receipt["t"])
    assert row["expires_at"] == receipt["t"] + 3600 + 30  # the longest lifetime, and the leeway
    assert await authority.answer_for(token) == "token_revoked"


async def test_a_block_holds_until_it_is_lifted_and_a_sign_out_does_not_end_it(authority: Authority) -> None:
    token = await authority.user_token("alice")
    receipt = await authority.operate("POST", "/v1/revocations", selector=ALICE, slot="block")
    assert receipt["revocations"][0]["expires_at"] is None
    await authority.operate("POST", "/v1/revocations", selector=ALICE, slot="cutoff", cutoff=1)
    assert await authority.answer_for(token) == "token_revoked"
    await authority.operate("POST", "/v1/lifts", selector=ALICE, slot="block")
    assert await authority.answer_for(token) == "ok"


async def test_a_token_is_revoked_by_itself(authority: Authority) -> None:
    token = await authority.user_token("alice")
    receipt = await authority.operate("POST", "/v1/revocations", token=token)
    (row,) = receipt["revocations"]
    assert row["selector"] == {"issuer": ISSUER, "kind": "token", "values": [claims_of(token)["jti"]]}
    assert row["expires_at"] == claims_of(token)["exp"] + 30
    assert await authority.answer_for(token) == "token_revoked"


@pytest.mark.parametrize(
    "selector",
    [
        {"kind": "session", "values": ["s1"]},
        {"kind": "grant", "values": ["g1"]},
        {"kind": "subject", "values": ["alice"]},
        {"kind": "claim:tenant", "values": ["acme"]},
        {"kind": "issuer", "values": []},
    ],
)
async def test_every_kind_of_selector_refuses_the_tokens_that_it_names(
    authority: Authority, selector: dict[str, Any]
) -> None:
    operator = await authority.token()  # one that stays good: `issuer` refuses the operator's tokens, too
    token = await authority.user_token("alice", sid="s1", grant_id="g1", claims={"tenant": "acme"})
    body = {"selector": selector, "slot": "cutoff", "cutoff": claims_of(token)["iat"]}
    receipt = (await authority.call("POST", "/v1/revocations", operator, json=body)).json()
    salted = receipt["revocations"][0]["fingerprint"]
    assert len(bytes.fromhex(salted)) == 11
    explained = await authority.operate("POST", "/v1/explain", token=token)
    refusing = [found["selector"]["kind"] for found in explained["selectors"] if found["refused_by"]]
    assert (explained["reason"], refusing) == ("token_revoked", [selector["kind"]])


async def test_the_key_and_client_kinds_take_two_and_one_value(authority: Authority) -> None:
    token = await authority.user_token("alice")
    client_id = claims_of(token)["client_id"]
    for selector in (
        {"kind": "client", "values": [client_id]},
        {"kind": "subject+client", "values": ["alice", client_id]},
    ):
        await authority.operate("POST", "/v1/revocations", selector=selector, slot="block")
        assert await authority.answer_for(token) == "token_revoked"
        await authority.operate("POST", "/v1/lifts", selector=selector, slot="block")
        assert await authority.answer_for(token) == "ok"


async def test_a_dry_run_says_what_would_be_and_writes_nothing(authority: Authority) -> None:
    before = (await authority.call("GET", "/v1/table")).content
    receipt = await authority.operate("POST", "/v1/revocations", selector=ALICE, slot="block", dry_run=True)
    status = await authority.operate("GET", "/v1/status")
    assert (receipt["status"], receipt["n"]) == ("dry_run", status["n"] + 1)
    assert (await authority.call("GET", "/v1/table")).content == before
    assert await authority.operate("GET", "/v1/revocations") == {"items": [], "next": None}


async def test_saying_the_same_again_changes_nothing(authority: Authority) -> None:
    first = await authority.operate("POST", "/v1/revocations", selector=ALICE, slot="block")
    again = await authority.operate("POST", "/v1/revocations", selector=ALICE, slot="block")
    assert (again["changed"], again["n"]) == (False, first["n"])


async def test_the_table_is_what_the_log_says(authority: Authority) -> None:
    for sub in ("alice", "bob", "carol"):
        selector = {"kind": "subject", "values": [sub]}
        await authority.operate("POST", "/v1/revocations", selector=selector, slot="block")
    await authority.operate(
        "POST", "/v1/lifts", selector={"kind": "subject", "values": ["bob"]}, slot="block"
    )
    answer = await authority.call("GET", "/v1/table")
    status = await authority.operate("GET", "/v1/status")
    table = Table.from_packed(answer.content, status["t"])
    assert answer.headers["Revocast-N"] == str(status["n"])
    assert (len(table), table.digest().hex()) == (status["table"]["rows"], status["table"]["digest"])
    assert status["table"]["rows"] == 2


async def test_the_list_is_paged_newest_first(authority: Authority) -> None:
    for i in range(7):
        selector = {"kind": "subject", "values": [f"user-{i}"]}
        await authority.operate(
            "POST", "/v1/revocations", selector=selector, slot="block", reason=f"reason {i}"
        )
    seen, after = [], None
    while True:
        page = await authority.operate(
            "GET", "/v1/revocations", limit=3, **({"after": after} if after else {})
        )
        seen += [(item["selector"]["values"][0], item["reason"]) for item in page["items"]]
        if (after := page["next"]) is None:
            break
    assert seen == [(f"user-{i}", f"reason {i}") for i in reversed(range(7))]
    assert page["items"][0]["actor"] == f"client:{authority.operator[0]}"


async def test_the_list_is_filtered_by_kind_and_exact_value(authority: Authority) -> None:
    for kind, value in (("subject", "alice"), ("subject", "Alice"), ("session", "alice")):
        await authority.operate(
            "POST", "/v1/revocations", selector={"kind": kind, "values": [value]}, slot="block"
        )
    found = await authority.operate("GET", "/v1/revocations", kind="subject", value="alice")
    assert [item["selector"]["values"] for item in found["items"]] == [["alice"]]


async def test_the_log_shows_the_records_in_order(authority: Authority) -> None:
    for sub in ("alice", "bob"):
        selector = {"kind": "subject", "values": [sub]}
        await authority.operate(
            "POST", "/v1/revocations", selector=selector, slot="cutoff", reason=f"for {sub}"
        )
    page = await authority.operate("GET", "/v1/log", limit=2)
    rest = await authority.operate("GET", "/v1/log", after=page["next"])
    entries = page["items"] + rest["items"]
    assert [entry["n"] for entry in entries] == [1, 2, 3]
    assert [entry["prev"] for entry in entries[1:]] == [entry["hash"] for entry in entries[:-1]]
    assert [row["kind"] for row in entries[2]["rows"]] == ["subject"]
    assert (entries[2]["reason"], entries[2]["published"], rest["next"]) == ("for bob", False, None)


async def test_the_log_and_the_answer_agree_on_the_fingerprint(authority: Authority) -> None:
    receipt = await authority.operate("POST", "/v1/revocations", selector=ALICE, slot="block")
    (entry,) = (await authority.operate("GET", "/v1/log", after=receipt["n"] - 1))["items"]
    assert entry["rows"][0]["fingerprint"] == receipt["revocations"][0]["fingerprint"]
    explained = await authority.operate("POST", "/v1/explain", token=await authority.user_token("bob"))
    assert fingerprint(bytes(32), Selector.subject(ISSUER, "alice")).hex() != entry["rows"][0]["fingerprint"]
    assert explained["answer"] == "accepted"


WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["body"]),
    ({"selector": ALICE}, ["body"]),
    ({"selector": ALICE, "token": "x", "slot": "block"}, ["body"]),
    ({"token": "x", "slot": "cutoff"}, ["body"]),
    ({"selector": ALICE, "slot": "both"}, ["slot"]),
    ({"selector": ALICE, "slot": "block", "dry_run": 1}, ["dry_run"]),
    ({"selector": ALICE, "slot": "cutoff", "cutoff": "1"}, ["cutoff"]),
    ({"selector": ALICE, "slot": "cutoff", "cutoff": True}, ["cutoff"]),
    ({"selector": ALICE, "slot": "cutoff", "cutoff": -1}, ["cutoff"]),
    ({"selector": ALICE, "slot": "cutoff", "cutoff": 2**32 - 1}, ["cutoff"]),
    ({"selector": ALICE, "slot": "cutoff", "cutoff": 4_000_000_000}, ["cutoff"]),
    ({"selector": ALICE, "slot": "block", "cutoff": 1}, ["cutoff"]),
    ({"selector": {"kind": "subjekt", "values": ["a"]}, "slot": "block"}, ["selector.kind"]),
    ({"selector": {"kind": "claim:", "values": ["a"]}, "slot": "block"}, ["selector.kind"]),
    ({"selector": {"kind": "claim:color", "values": ["a"]}, "slot": "block"}, ["selector.kind"]),
    ({"selector": {"kind": "subject", "values": []}, "slot": "block"}, ["selector.values"]),
    ({"selector": {"kind": "subject", "values": [""]}, "slot": "block"}, ["selector.values.0"]),
    ({"selector": {"kind": "subject", "values": ["\ud800"]}, "slot": "block"}, ["selector.values.0"]),
    ({"selector": {"kind": "subject", "values": [7]}, "slot": "block"}, ["selector.values.0"]),
    ({"selector": {"kind": "subject", "values": "alice"}, "slot": "block"}, ["selector.values"]),
    ({"selector": {"kind": "issuer", "values": ["a"]}, "slot": "block"}, ["selector.values"]),
    ({"selector": {**ALICE, "issuer": "https://other.example"}, "slot": "block"}, ["issuer"]),
    ({"selector": ALICE, "slot": "block", "resaon": "typo"}, ["resaon"]),
    ({"token": "not-a-token"}, ["token"]),
]


async def test_a_wrong_request_is_answered_with_the_field_that_is_wrong(
    authority: Authority, subtests: pytest.Subtests
) -> None:
    before = (await authority.operate("GET", "/v1/status"))["n"]
    for body, fields in WRONG:
        with subtests.test(ascii(body)):
            status, _, named = await problem(authority, "/v1/revocations", body)
            assert (status, named) == (422, fields)
    assert (await authority.operate("GET", "/v1/status"))["n"] == before


async def test_what_was_sent_is_not_repeated_in_an_error(authority: Authority) -> None:
    token = await authority.user_token()
    for body in (
        {"token": token, "slot": 7},
        {"token": [token]},
        {"selector": {"kind": token, "values": [token]}},
    ):
        assert token not in (await authority.call("POST", "/v1/revocations", json=body)).text


@pytest.mark.parametrize("body", [b"{", b'{"token":"x","token":"y"', b"\xff", b""])
async def test_a_body_that_is_not_json_is_refused(authority: Authority, body: bytes) -> None:
    bearer = {"Authorization": f"Bearer {await authority.token()}", "Content-Type": "application/json"}
    answer = await authority.http.post("/v1/revocations", headers=bearer, content=body)
    assert answer.status_code in (400, 422)
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_a_slot_is_lifted_alone(authority: Authority) -> None:
    for slot in ("cutoff", "block"):
        await authority.operate("POST", "/v1/revocations", selector=ALICE, slot=slot)
    await authority.operate("POST", "/v1/lifts", selector=ALICE, slot="cutoff")
    left = await authority.operate("GET", "/v1/revocations")
    assert [item["slot"] for item in left["items"]] == [Slot.BLOCK.name.lower()]


async def test_a_single_tokens_revocation_takes_no_end_of_its_own(authority: Authority) -> None:
    selector = {"kind": "token", "values": ["some-jti"]}
    body = {"selector": selector, "slot": "block", "expires_at": 2_000_000_000}
    answer = await authority.call("POST", "/v1/revocations", json=body)
    assert answer.status_code == 422
    assert "leave expires_at out" in answer.text
