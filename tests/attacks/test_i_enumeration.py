"""What answers tell whoever should not know: which clients, users and tokens there are."""

import logging
import statistics
import time

import pytest

from tests.issuer.http.authority import Authority
from tests.issuer.http.conftest import authority, made

__all__ = ["authority", "made"]

FORM = {"grant_type": "client_credentials"}


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Basic",
        "Basic !!!",
        "Basic b3BlcmF0b3I=",
        "Basic Og==",
        "Basic /////w==",
        "Bearer b3BlcmF0b3I6eA==",
        "Basic b3BlcmF0b3I6d3Jvbmc=",
        "Basic bm9ib2R5Ondyb25n",
    ],
)
async def test_i10_every_failed_authentication_reads_the_same(
    authority: Authority, authorization: str | None
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = await authority.http.post("/oauth/token", data=FORM, headers=headers)
    assert answer.status_code == 401
    assert answer.json() == {
        "error": "invalid_client",
        "error_description": "Client authentication failed.",
    }
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="revocast", charset="UTF-8"'


async def test_i10_an_unknown_client_takes_as_long_as_a_wrong_secret(authority: Authority) -> None:
    """Medians of interleaved attempts; without the constant work they differ by a factor of ten and more."""
    known, unknown = (authority.operator[0], "wrong"), ("nobody", "wrong")
    times: dict[str, list[float]] = {known[0]: [], unknown[0]: []}
    for _ in range(15):
        for client in (known, unknown):
            began = time.perf_counter()
            await authority.ask_token(client)
            times[client[0]].append(time.perf_counter() - began)
    medians = [statistics.median(each) for each in times.values()]
    assert max(medians) < 2 * min(medians), medians


async def test_i10_every_endpoint_answers_a_wrong_client_in_the_same_words(authority: Authority) -> None:
    """Unknown, known with a wrong secret, with another client's secret, and blocked with a wrong one."""
    client, other = await authority.client(), await authority.client()
    selector = {"kind": "client", "values": [other[0]]}
    await authority.operate("POST", "/v1/revocations", selector=selector, slot="block")
    answers = set()
    for path in ("/oauth/token", "/oauth/revoke", "/oauth/introspect"):
        for guess in (("nobody", "wrong"), (client[0], "wrong"), (client[0], other[1]), (other[0], "wrong")):
            form = {**FORM, "token": "x"}
            answer = await authority.http.post(path, auth=guess, data=form)
            posted = {**form, "client_id": guess[0], "client_secret": guess[1]}
            for each in (answer, await authority.http.post(path, data=posted)):
                answers.add((each.status_code, each.content, each.headers["WWW-Authenticate"]))
    assert len(answers) == 1


async def test_i10_introspection_tells_nobody_which_tokens_users_and_names_there_are(
    authority: Authority,
) -> None:
    """A stranger's question gets one answer: for a live token, a revoked one, a forged one and none at all."""
    stranger = await authority.client(access={})
    live, revoked = await authority.user_token("alice"), await authority.user_token("bob")
    await authority.operate("POST", "/v1/revocations", token=revoked)
    forged = live[:-4] + ("AAAA" if live[-4:] != "AAAA" else "BBBB")
    answers = {
        (answer.status_code, answer.content)
        for token in (live, revoked, forged, "x", "")
        for answer in [
            await authority.http.post("/oauth/introspect", auth=stranger, data={"token": token or "-"})
        ]
    }
    assert answers == {(200, b'{"active":false}')}


async def test_i10_without_authentication_nothing_tells_a_known_name_from_an_unknown_one(
    authority: Authority,
) -> None:
    (key,) = (await authority.operate("GET", "/v1/keys"))["items"]
    for known, unknown in (
        (f"/v1/keys/{key['kid']}/revoke", "/v1/keys/unknown/revoke"),
        (f"/v1/revocations?value={authority.operator[0]}", "/v1/revocations?value=unknown"),
    ):
        one, other = [await authority.http.post(path, json={"reason": "x"}) for path in (known, unknown)]
        assert (one.status_code, one.content) == (other.status_code, other.content)


async def test_i10_no_guess_of_a_secret_is_written_down(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for path in ("/oauth/token", "/oauth/revoke", "/oauth/introspect"):
        await authority.http.post(
            path, auth=("nobody", "hunter2-hunter2"), data={**FORM, "token": "marked-token"}
        )
    events = authority.audited("revocast.access.denied")
    assert [event["data"]["claimed_client_id"] for event in events] == ["nobody"] * 3
    logged = "".join(
        record.getMessage() for record in caplog.records if not record.name.startswith("httpcore")
    )
    for secret in ("hunter2", "marked"):
        assert secret not in str(events) + logged
