"""Snapshots over the operator API."""

from revocast.issuer.storage.snapshots import decide, note_cut
from revocast.schemas.record import Record
from revocast.schemas.rows import Rows
from tests.issuer.http.authority import Authority


def cut(n: int) -> Record:
    return Record(
        t=1_800_000_000, epoch=1, n=n, prev=bytes(32), rows=Rows.of(()), delegations=1, key_set=1, cut=True
    )


async def test_what_became_of_each_cut_is_listed_and_an_alarm_is_a_warning_of_the_status(
    authority: Authority,
) -> None:
    with authority.storage.write() as session:
        for n in (5, 9, 12):
            note_cut(session, cut(n))
        decide(session, (1, 5), 3, 1_800_000_100, None)
        decide(session, (1, 9), 3, 1_800_000_200, "row 2: the issuer has none, streams have …")
    found = await authority.operate("GET", "/v1/snapshots")
    assert [(each["n"], each["state"], each["rows"]) for each in found["items"]] == [
        (5, "countersigned", 3),
        (9, "differs", 3),
        (12, "cut", None),
    ]
    assert (found["oldest_epoch"], found["oldest_n"], found["asked"]) == (0, 1, False)
    (warning,) = (await authority.operate("GET", "/v1/status"))["warnings"]
    assert "snapshot 1/9" in warning and "row 2: the issuer has none" in warning


async def test_a_cut_is_asked_for_by_who_may_write_the_log(authority: Authority) -> None:
    refused = await authority.call(
        "POST", "/v1/snapshots", await authority.token(scope="revocast:read"), json={}
    )
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    answer = await authority.call("POST", "/v1/snapshots", json={})
    assert (answer.status_code, answer.json()) == (202, {"asked": True})
    assert (await authority.operate("GET", "/v1/snapshots"))["asked"] is True
