"""I12: files of revocations that are huge, broken or compressed; and an issuer that is killed in the middle of one."""

import gzip
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.issuer.http.authority import ISSUER, Authority
from tests.issuer.http.conftest import made
from tests.issuer.http.process import IssuerProcess, revocast
from tests.issuer.http.test_bulk import LIST, authority, done, send

__all__ = ["authority", "made"]

MEMORY = 48 * 1024 * 1024
"""Of which 8 MiB are a window of lines as they came, and the rest what is made of them."""


async def test_i12_of_a_broken_file_the_good_lines_are_done_and_the_bad_ones_told_by_number(
    authority: Authority,
) -> None:
    said = [b"jti-%d" % number for number in range(10_000)]
    for number in range(0, 10_000, 100):
        said[number] = (b"\xff", b"a\0b", b" jti", b"x" * 50_000)[number // 100 % 4]
    said += said  # each twice
    _, events = await send(authority, b"\xef\xbb\xbf" + b"\r\n".join(said), LIST)
    told = [line for event in events if event["event"] == "bad" for line in event["lines"]]
    assert sorted(first for first, _ in told) == [number + 1 for number in range(0, 20_000, 100)]
    last = events[-1]
    assert (last["rows"], last["unchanged"], last["bad"], last["line"]) == (9_900, 9_900, 200, 20_000)
    assert (await authority.operate("GET", "/v1/status"))["table"]["rows"] == 9_900


@pytest.mark.parametrize("what", ["one line without end", "bad lines", "empty lines"])
async def test_i12_memory_is_bounded_whatever_the_file(authority: Authority, what: str) -> None:
    piece = {"one line without end": b"x", "bad lines": b" \n", "empty lines": b"\n"}[what]
    mouthful = piece * (2**20 // len(piece))

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(32 if piece == b"x" else 1):
            yield mouthful

    token = await authority.token()
    tracemalloc.start()
    try:
        status, events = await send(authority, endless(), LIST, token=token)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert status == 200 and events[-1]["event"] == "done" and events[-1]["rows"] == 0
    assert peak < MEMORY


async def test_i12_a_bomb_is_refused_before_it_is_unpacked(authority: Authority) -> None:
    bomb = gzip.compress(b"x" * 200_000_000)
    token = await authority.token()
    tracemalloc.start()
    try:
        status, (problem,) = await send(authority, bomb, LIST, token=token, packed=True)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (status, problem["code"]) == (422, "unpacks_too_far")
    assert peak < MEMORY


async def test_i12_what_a_line_says_is_in_no_answer(authority: Authority) -> None:
    evil = [
        "\x1b[31mred",
        '{"\x1b]0;title\x07": 1}',
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl",
        "=cmd()",
    ]
    for form in ("text/plain", "text/csv", "application/jsonl"):
        head = "value\n" if form == "text/csv" else ""
        _, events = await send(authority, (head + "\n".join(evil)).encode(), form)
        text = json.dumps(events)
        assert not any(part in text for part in ("red", "title", "eyJ", "cmd"))


async def test_i12_and_s11_an_operators_rows_are_bounded_and_what_changes_nothing_is_free(
    tmp_path: Path,
) -> None:
    async with Authority(tmp_path / "home", operator_rows=1000) as authority:
        names = b"".join(b"jti-%d\n" % number for number in range(2500))
        assert (await done(authority, names[: names.index(b"jti-1000\n")]))["rows"] == 1000
        assert (await done(authority, names[: names.index(b"jti-1000\n")]))["unchanged"] == 1000
        status, (problem,) = await send(authority, names, LIST)
        assert (status, problem["code"]) == (429, "too_many_writes")
        assert "REVOCAST_OPERATOR_ROWS" in problem["detail"]
        assert [event["data"]["reason"] for event in authority.audited("revocast.access.denied")] == [
            "too_many_writes"
        ]
        assert (await authority.operate("GET", "/v1/status"))["table"]["rows"] == 1000
        alice = {"selector": {"kind": "subject", "values": ["alice"], "issuer": ISSUER}, "slot": "block"}
        assert (await authority.operate("POST", "/v1/revocations", **alice))["changed"]


def test_i12_a_file_goes_on_after_kill_9_of_the_issuer_and_nothing_is_lost_or_twice(
    tmp_path: Path, kafka: str, prefix: str
) -> None:
    lines = 60_000
    names = tmp_path / "jtis.txt"
    names.write_text("".join(f"jti-{number}\n" for number in range(lines)))
    assert revocast("topics", "ensure", REVOCAST_KAFKA=kafka, REVOCAST_PREFIX=prefix).returncode == 0
    with IssuerProcess(tmp_path / "home", kafka, prefix) as issuer:
        issuer.wait_for_relay("publishing")
        environ = {**os.environ, **issuer.environment, "REVOCAST_ISSUER": issuer.url, "TERM": "dumb"}
        command = [sys.executable, "-m", "revocast.cli", "revoke-many", str(names), "--yes", "--json"]
        with subprocess.Popen(
            command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as sending:
            issuer.wait_for(lambda: issuer.operate("GET", "/v1/status")["n"] > 3)
            issuer.kill()
            assert sending.poll() is None
            issuer.start()
            out, err = sending.communicate(timeout=60)
        assert sending.returncode == 0, err
        totals = json.loads(out)
        assert (totals["line"], totals["bad"], totals["status"]) == (lines, 0, "published")
        assert totals["rows"] + totals["unchanged"] == lines
        status = issuer.operate("GET", "/v1/status")
        assert status["table"]["rows"] == lines and status["published_n"] >= totals["n"]
        assert revocast("log", "verify", **issuer.environment, REVOCAST_ISSUER=issuer.url).returncode == 0
