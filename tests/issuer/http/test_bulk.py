"""`/v1/revocations/bulk`: what is in a file, whatever is in a file."""

import gzip
import json
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from revocast.issuer.operators.bulk.splitting import MAX_LINE
from tests.issuer.core.authority import FakeClock
from tests.issuer.http.authority import ISSUER, Authority

NOW = int(time.time()) - 60
PATH = "/v1/revocations/bulk"
LIST, CSV, JSONL = "text/plain", "text/csv", "application/jsonl"


@pytest.fixture
async def authority(tmp_path: Path, made: Path) -> AsyncIterator[Authority]:
    """A new issuer whose clock stands still: no hour ends in the middle of a test."""
    shutil.copytree(made, tmp_path / "home")
    async with Authority(tmp_path / "home", clock=FakeClock(NOW + 60)) as authority:
        yield authority


async def send(
    authority: Authority,
    body: "bytes | AsyncIterator[bytes]",
    form: str = LIST,
    *,
    token: str | None = None,
    **query: Any,
) -> tuple[int, list[dict[str, Any]]]:
    """The status, and the events of the answer."""
    packed = query.pop("packed", False)
    headers = {
        "Authorization": f"Bearer {token or await authority.token()}",
        "Content-Type": form,
        **({"Content-Encoding": "gzip"} if packed else {}),
    }
    answer = await authority.http.post(PATH, params=query, headers=headers, content=body)
    if answer.status_code != 200:
        return answer.status_code, [answer.json()]
    assert answer.headers["content-type"].startswith(JSONL)
    return 200, [json.loads(line) for line in answer.text.splitlines()]


async def done(authority: Authority, body: bytes, form: str = LIST, **query: Any) -> dict[str, Any]:
    """The last event, of a file that is read to its end."""
    status, events = await send(authority, body, form, **query)
    assert status == 200 and events[-1]["event"] == "done", events
    return events[-1]


async def bad(
    authority: Authority, body: bytes, form: str = JSONL, **query: Any
) -> dict[str, list[list[int]]]:
    """By reason, the lines that were left out."""
    _, events = await send(authority, body, form, **query)
    return {event["reason"]: event["lines"] for event in events if event["event"] == "bad"}


async def listed(authority: Authority) -> list[dict[str, Any]]:
    page = await authority.operate("GET", "/v1/revocations", limit=1000)
    return list(page["items"])


def lines(*said: object) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in said)


async def test_a_list_of_jtis_is_blocked_and_the_answer_counts(authority: Authority) -> None:
    answer = await done(authority, b"a\nb\nc\n", reason="leak", file="leaked.txt", operation="incident-7")
    assert {
        name: answer[name] for name in ("line", "rows", "unchanged", "bad", "empty", "records", "status")
    } == {
        "line": 3,
        "rows": 3,
        "unchanged": 0,
        "bad": 0,
        "empty": 0,
        "records": 1,
        "status": "pending",  # no relay publishes here
    }
    rows = await listed(authority)
    assert {
        (row["kind"], *row["selector"]["values"], row["slot"], row["reason"], row["n"]) for row in rows
    } == {("token", jti, "block", "leak", answer["n"]) for jti in "abc"}
    assert answer["operation"] == "incident-7"


async def test_what_is_revoked_by_a_file_is_refused(authority: Authority) -> None:
    token, other = await authority.user_token("alice"), await authority.user_token("bob")
    await done(authority, b"alice\n", kind="subject", slot="cutoff")
    assert await authority.answer_for(token) == "token_revoked"
    assert await authority.answer_for(other) == "ok"
    await done(authority, lines({"token": other}), JSONL)
    assert await authority.answer_for(other) == "token_revoked"


async def test_json_lines_say_what_a_single_revocation_says(authority: Authority) -> None:
    said = lines(
        {"selector": {"kind": "subject", "values": ["alice"]}, "slot": "cutoff", "cutoff": NOW},
        {
            "selector": {"kind": "claim:tenant", "values": ["acme"]},
            "slot": "block",
            "expires_at": 4_000_000_000,
        },
        {"selector": {"kind": "subject+client", "values": ["bob", "app"], "issuer": ISSUER}, "slot": "block"},
        {"selector": {"values": ["jti-1"]}},
        "jti-2",
    )
    answer = await done(authority, said, JSONL)
    assert answer["rows"] == 5
    rows = {tuple(row["selector"]["values"]): row for row in await listed(authority)}
    assert (rows["alice",]["slot"], rows["alice",]["cutoff"]) == ("cutoff", NOW)
    assert rows["acme",]["expires_at"] == 4_000_000_000
    assert rows["bob", "app"]["expires_at"] is None
    assert rows["jti-1",]["kind"] == rows["jti-2",]["kind"] == "token"


async def test_csv_names_its_columns_in_the_first_row_or_in_the_request(authority: Authority) -> None:
    head = b"kind,value,slot,cutoff,expires_at,value2\r\n"
    body = b'subject,"al,ice",block,,never,\r\ntoken,jti-1,,,,\r\nsubject+client,bob,cutoff,%d,,app\r\n' % NOW
    answer = await done(authority, head + body, CSV)
    assert (answer["rows"], answer["empty"], answer["line"]) == (3, 1, 4)
    again = await done(authority, body, CSV, columns="kind,value,slot,cutoff,expires_at,value2", first_line=2)
    assert (again["rows"], again["unchanged"], again["line"], again["records"]) == (0, 3, 4, 0)
    status, (problem,) = await send(authority, b"jti-1\njti-2\n", CSV)
    assert (status, problem["code"]) == (422, "unknown_columns")


async def test_bad_lines_are_told_by_number_and_reason_and_the_others_are_done(authority: Authority) -> None:
    token = await authority.user_token()
    said = [
        b"good",
        b"",
        b" padded",
        b"\xff\xfe",
        b"a\0b",
        b"x" * (MAX_LINE + 1),
        b"y" * 2000,
        b"y" * 2001,
        token.encode(),
        b"\xe2\x80\xaerevocast",
    ]
    _, events = await send(authority, b"\n".join(said), LIST)
    assert {event["reason"]: event["lines"] for event in events if event["event"] == "bad"} == {
        "begins or ends with white space: write it as JSON if the name does": [[3, 3]],
        "is not UTF-8": [[4, 4]],
        "holds a NUL": [[5, 5]],
        "is too long": [[6, 6]],
        "value: must have 1 to 1024 characters": [[7, 8]],
        'is a whole token, not its jti: write {"token": …} in JSON lines': [[9, 9]],
    }
    assert (events[-1]["rows"], events[-1]["bad"], events[-1]["empty"], events[-1]["line"]) == (2, 7, 1, 10)
    assert token[:20] not in json.dumps(events)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"{", "is not one JSON value"),
        (b'{"token": 1, "token": 2}', "is not one JSON value"),
        (b"[1]", "must be an object, or the text of a selector's value"),
        (b"{}", "line: give either selector or token"),
        (b'{"selector": {"kind": "subject", "values": ["a"]}}', "line: slot is required with selector"),
        (b'{"selector": {"kind": "nothing", "values": ["a"]}, "slot": "block"}', "selector.kind: must be one of"),
        (b'{"selector": {"kind": "subject", "values": []}, "slot": "block"}', "a subject selector takes 1, got 0"),
        (b'{"selector": {"values": ["a"]}, "eyJhbGciOi": 1}', "a member of it is not known"),
        (b'{"selector": {"kind": "key", "values": ["k"]}, "slot": "block"}', "kind: key is not for files"),
        (b'{"selector": {"kind": "issuer", "values": []}, "slot": "cutoff"}', "kind: issuer is not for files"),
        (b'{"selector": {"kind": "claim:other", "values": ["k"]}, "slot": "block"}', "kind: this claim is not declared"),
        (b'{"selector": {"values": ["a"], "issuer": "https://x.example"}}', "issuer: this authority revokes for itself"),
        (b'{"selector": {"kind": "subject", "values": ["a"]}, "slot": "cutoff", "cutoff": 4000000000}', "cutoff: must not"),
        (b'{"token": "a.b.c"}', "token: is not one of ours"),
        (b'"\\ud800"', "is not one JSON value"),
        (b'"a\\u0000"', "holds a NUL"),
        (b'{"selector": {"kind": ["token"], "values": ["a"]}}', "selector.kind: Input should be a valid string"),
        (b'{"selector": {"values": ["a"]}, "slot": ""}', "slot: Input should be 'cutoff' or 'block'"),
        (b'{"selector": {"values": ["a"]}, "slot": false}', "slot: Input should be 'cutoff' or 'block'"),
    ],
)  # fmt: skip
async def test_json_that_says_nothing_to_write_is_told_why(
    authority: Authority, said: bytes, reason: str
) -> None:
    (told,) = await bad(authority, b'"good"\n' + said + b"\n")
    assert reason in told and "eyJ" not in told


async def test_csv_rows_that_say_nothing_to_write_are_told_why(authority: Authority) -> None:
    body = b'value,kind,cutoff\na\n"a"b,,\n,,\na,subject,yesterday\na,,-1\n'
    assert await bad(authority, body, CSV, slot="cutoff") == {
        "has 1 cells, and there are 3 columns": [[2, 2]],
        "is not one row of CSV: a row is a line": [[3, 3]],
        "value: is empty": [[4, 4]],
        "cutoff: must be seconds since 1970": [[5, 6]],
    }


async def test_a_csv_value_with_a_line_break_does_not_choose_who_is_revoked(authority: Authority) -> None:
    body = b'value,kind,slot\nalice,subject,block\n"x\nadmin,subject,block\ny",subject,block\n'
    status, (problem,) = await send(authority, body, CSV)
    assert (status, problem["code"]) == (422, "row_over_lines")
    assert await listed(authority) == []


async def test_lines_that_another_program_ended_are_no_names(authority: Authority) -> None:
    assert await bad(authority, b"alice\rbob\rcarol", LIST) == {
        "holds a control character: write it as JSON if the name does": [[1, 1]]
    }
    assert await listed(authority) == []


async def test_a_byte_order_mark_crlf_and_a_missing_last_end_are_none_of_the_names(
    authority: Authority,
) -> None:
    answer = await done(authority, b"\xef\xbb\xbfa\r\nb\r\n\r\nc")
    assert (answer["rows"], answer["empty"]) == (3, 1)
    assert {row["selector"]["values"][0] for row in await listed(authority)} == {"a", "b", "c"}


async def test_duplicates_and_repetitions_change_nothing_and_cost_no_record(authority: Authority) -> None:
    first = await done(authority, b"a\nb\na\nb\n")
    assert (first["rows"], first["unchanged"], first["records"]) == (2, 2, 1)
    again = await done(authority, b"a\nb\na\nb\n")
    assert (again["rows"], again["unchanged"], again["records"], again["n"]) == (0, 4, 0, first["n"])


async def test_a_dry_run_counts_and_writes_nothing(authority: Authority) -> None:
    await done(authority, b"a\n")
    answer = await done(authority, b"a\nb\nc\n", dry_run=True)
    assert (answer["rows"], answer["unchanged"], answer["status"]) == (2, 1, "dry_run")
    assert len(await listed(authority)) == 1


async def test_one_audit_event_a_record_says_who_why_and_how_many_but_not_which(authority: Authority) -> None:
    said = lines("jti-1", "jti-2", {"selector": {"kind": "subject", "values": ["alice"]}, "slot": "cutoff"})
    answer = await done(authority, said, JSONL, reason="leak", file="leaked.jsonl", operation="incident-7")
    (event,) = authority.audited("revocast.revoked.many")
    assert event["subject"] == "bulk/incident-7" and "alice" not in json.dumps(event)
    counts = event["data"].pop("counts")
    assert sorted((each["kind"], each["slot"], each["rows"]) for each in counts) == [
        ("subject", "cutoff", 1),
        ("token", "block", 2),
    ]
    assert event["data"] == {
        "operation": "incident-7",
        "file": "leaked.jsonl",
        "rows": 3,
        "epoch": answer["epoch"],
        "n": answer["n"],
        "t": event["data"]["t"],
        "actor": f"client:{authority.operator[0]}",
        "reason": "leak",
    }


async def test_gzip_is_unpacked_and_a_bomb_is_not(authority: Authority) -> None:
    packed = gzip.compress(b"a\nb\n") + gzip.compress(b"c\n")
    assert (await done(authority, packed, packed=True))["rows"] == 3
    for bomb in (b"\n" * 9_000_000, b"x" * 50_000_000):
        _, events = await send(authority, gzip.compress(bomb), packed=True)
        last = events[-1]
        assert last["code"] == "unpacks_too_far" and last.get("line", 0) < 9_000_000
    for damaged in (packed[:-9], b"no gzip", packed[:10] + b"\xff" + packed[11:]):
        status, (problem,) = await send(authority, damaged, packed=True)
        assert (status, problem["code"]) == (422, "damaged_gzip")


async def test_gzip_members_end_wherever_they_end(authority: Authority) -> None:
    members = [gzip.compress(b"jti-%d\n" % number if number % 3 else b"", mtime=0) for number in range(3000)]
    answer = await done(authority, b"".join(members), packed=True)
    assert (answer["rows"], answer["line"], answer["bad"]) == (2000, 2000, 0)


async def test_an_operator_that_is_revoked_meanwhile_goes_on_with_no_file(authority: Authority) -> None:
    def names(start: int) -> bytes:
        return b"".join(b"a-rather-long-jti-%07d\n" % number for number in range(start, start + 60_000))

    async def pieces() -> AsyncIterator[bytes]:
        yield names(0)
        selector = {"kind": "client", "values": [authority.operator[0]]}
        await authority.operate("POST", "/v1/revocations", selector=selector, slot="block")
        yield names(60_000)

    _, events = await send(authority, pieces())
    assert (events[-1]["event"], events[-1]["code"]) == ("stopped", "invalid_token")
    assert events[-1]["line"] == events[-1]["rows"] == 50_000


async def test_a_file_needs_a_scope_of_its_own(authority: Authority) -> None:
    access = {ISSUER: ["revocast:revoke"]}
    registered = await authority.operate("POST", "/v1/clients", name="Single", access=access)
    token = await authority.token((registered["client_id"], registered["client_secret"]), resource=ISSUER)
    status, (problem,) = await send(authority, b"a\n", token=token)
    assert (status, problem["code"]) == (403, "insufficient_scope")
    assert "revocast:revoke-many" in problem["detail"]


async def test_other_forms_and_encodings_are_refused(authority: Authority) -> None:
    status, (problem,) = await send(authority, b"[]", "application/json")
    assert (status, problem["code"]) == (415, "unsupported_media_type")
    answer = await authority.http.post(
        PATH,
        content=b"a\n",
        headers={
            "Authorization": f"Bearer {await authority.token()}",
            "Content-Type": LIST,
            "Content-Encoding": "br",
        },
    )
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_content_encoding")


async def test_a_long_file_is_answered_window_by_window_and_the_table_is_the_readers(
    authority: Authority,
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, 120_000, 1000):
            yield b"".join(b"jti-%d\n" % number for number in range(start, start + 1000))

    _, events = await send(authority, pieces())
    progress = [event for event in events if event["event"] == "progress"]
    assert [event["line"] for event in progress] == [50_000, 100_000, 120_000]
    assert (events[-1]["rows"], events[-1]["records"]) == (120_000, 120)
    assert (await authority.operate("GET", "/v1/status"))["table"]["rows"] == 120_000
