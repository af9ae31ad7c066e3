"""Who may call the operator API: nobody without a live token of the right scope, and no page of another site."""

import pytest

from revocast.issuer.operators.scopes import Scope
from tests.issuer.http.authority import AUDIENCE, ISSUER, Authority
from tests.issuer.http.conftest import authority, made

__all__ = ["authority", "made"]

READ = "/v1/status"
SELECTOR = {"kind": "subject", "values": ["alice"]}
FILE = {"Content-Type": "text/plain"}
Operation = tuple[str, str, str, object]
WRITES: list[Operation] = [
    ("POST", "/v1/revocations", "revocast:revoke", {"selector": SELECTOR, "slot": "block"}),
    ("POST", "/v1/revocations/bulk", "revocast:revoke-many", {}),
    ("POST", "/v1/snapshots", "revocast:revoke", {}),
    ("POST", "/v1/lifts", "revocast:lift", {"selector": SELECTOR, "slot": "block"}),
    ("POST", "/v1/keys/rotate", "revocast:keys", {}),
    ("POST", "/v1/keys/some/revoke", "revocast:keys", {"reason": "x"}),
    ("POST", "/v1/clients", "revocast:clients", {"name": "x", "access": {}}),
    ("POST", "/v1/resource-servers", "revocast:clients", {"audience": "x", "name": "x", "scopes": []}),
    ("POST", "/v1/tokens", "revocast:mint", {"client_id": "x", "sub": "x", "audience": "x"}),
    ("POST", "/v1/explain", "revocast:read", {"token": "x"}),
    ("POST", "/v1/event-keys", "revocast:trust", {}),
    ("POST", "/v1/delegations", "revocast:trust", {"list": "x"}),
]
READS: list[Operation] = [
    *(
        ("GET", f"/v1/{name}", "revocast:read", None)
        for name in (
            "revocations",
            "keys",
            "clients",
            "resource-servers",
            "log",
            "snapshots",
            "status",
            "table",
        )
    ),
    ("GET", "/v1/trust", "revocast:trust", None),
]


def denials(authority: Authority) -> list[str]:
    return [event["data"].get("reason") for event in authority.audited("revocast.access.denied")]


async def test_i08_every_operation_is_guarded(authority: Authority) -> None:
    described = (await authority.http.get("/openapi.json")).json()["paths"]
    offered = {
        (method.upper(), path.replace("{kid}", "some"))
        for path, operations in described.items()
        for method in operations
        if path.startswith("/v1/")
    }
    assert offered == {(method, path) for method, path, *_ in READS + WRITES}


async def test_i08_without_a_token_it_is_401_and_audited(
    authority: Authority, subtests: pytest.Subtests
) -> None:
    for method, path, _, body in READS + WRITES:
        with subtests.test(f"{method} {path}"):
            answer = await authority.http.request(method, path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (401, "token_missing")
            assert answer.headers["WWW-Authenticate"] == 'Bearer realm="revocast"'
    assert denials(authority) == ["token_missing"] * len(READS + WRITES)


async def test_i08_without_the_scope_it_is_403_and_audited(
    authority: Authority, subtests: pytest.Subtests
) -> None:
    for method, path, scope, body in READS + WRITES:
        with subtests.test(f"{method} {path}"):
            token = await authority.token(scope=" ".join(set(Scope) - {scope}))
            sent = {"content": b"", "headers": FILE} if path.endswith("/bulk") else {"json": body}
            answer = await authority.call(method, path, token, **sent)
            assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
            assert f'error="insufficient_scope", scope="{scope}"' in answer.headers["WWW-Authenticate"]
            event = authority.audited("revocast.access.denied")[-1]
            assert event["data"]["client_id"] == authority.operator[0]
            assert event["data"]["operation"] == f"{method} {path.replace('/some/', '/{kid}/')}"


@pytest.mark.parametrize("body", [b"{", b"[" * 50_000, b"\xff", b"", b"x" * 1_000])
async def test_i08_a_stranger_is_refused_before_the_body_is_looked_at(
    authority: Authority, body: bytes
) -> None:
    json_type, form_type = {"Content-Type": "application/json"}, {"Content-Type": "text/plain"}
    for headers in (json_type, form_type, {}):
        answer = await authority.http.post("/v1/revocations", headers=headers, content=body)
        assert (answer.status_code, answer.json()["code"]) == (401, "token_missing")
    assert denials(authority) == ["token_missing"] * 3


async def test_i08_a_refused_call_does_nothing(authority: Authority, subtests: pytest.Subtests) -> None:
    """Whatever it would have done: neither without a token nor with one of another service nor across sites."""
    stranger = await authority.token(await authority.client())
    before = await _everything(authority)
    for method, path, _, body in WRITES:
        for headers in (
            {},
            {"Authorization": f"Bearer {stranger}"},
            {"Authorization": f"Bearer {await authority.token()}", "Sec-Fetch-Site": "cross-site"},
        ):
            with subtests.test(f"{method} {path} {sorted(headers)}"):
                answer = await authority.http.request(method, path, headers=headers, json=body)
                assert answer.status_code in (401, 403)
    assert await _everything(authority) == before


async def _everything(authority: Authority) -> list[object]:
    return [
        *[
            await authority.operate("GET", path)
            for _, path, *_ in READS
            if path not in ("/v1/table", "/v1/status")
        ],
        (await authority.call("GET", "/v1/table")).content,
        (await authority.operate("GET", "/v1/status"))["n"],
    ]


async def test_i08_a_revoked_operator_token_is_refused_at_once(authority: Authority) -> None:
    stolen = await authority.token()
    await authority.operate("POST", "/v1/revocations", token=stolen, reason="stolen")
    answer = await authority.call("GET", READ, stolen)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert denials(authority) == ["token_revoked"]


async def test_i08_a_blocked_operator_is_out_with_every_token(authority: Authority) -> None:
    client_id, secret = await authority.client(access={ISSUER: ["revocast:read"]})
    token = await authority.token((client_id, secret))
    assert (await authority.call("GET", READ, token)).status_code == 200
    selector = {"kind": "client", "values": [client_id]}
    await authority.operate("POST", "/v1/revocations", selector=selector, slot="block")
    assert (await authority.call("GET", READ, token)).status_code == 401
    assert (await authority.ask_token((client_id, secret))).status_code == 400


async def test_i08_a_token_for_another_service_is_refused(authority: Authority) -> None:
    token = await authority.token(await authority.client())
    assert (await authority.call("GET", READ, token)).status_code == 401
    assert denials(authority) == ["wrong_audience"]


async def test_i08_a_token_of_a_revoked_key_is_refused(authority: Authority) -> None:
    token = await authority.token()
    (key,) = (await authority.operate("GET", "/v1/keys"))["items"]
    assert (
        await authority.call("POST", f"/v1/keys/{key['kid']}/revoke", token, json={"reason": "x"})
    ).status_code == 200
    assert (await authority.call("GET", READ, token)).status_code == 401


async def test_i08_reasons_are_for_the_audit_and_not_for_the_caller(authority: Authority) -> None:
    revoked, foreign = await authority.token(), await authority.token(await authority.client())
    await authority.operate("POST", "/v1/revocations", token=revoked)
    answers = [
        await authority.call("GET", READ, token) for token in (revoked, foreign, "x.y.z", "x" * 20_000)
    ]
    assert len({(answer.status_code, answer.content) for answer in answers}) == 1


@pytest.mark.parametrize("header", ["Basic {}", "{}", "Bearer", "Bearer a b", "Bearer {} {}", "Bearer é"])
async def test_i08_only_one_well_formed_bearer_header_counts(authority: Authority, header: str) -> None:
    token = await authority.token()
    value = header.replace("{}", token).encode()
    answer = await authority.http.get(READ, headers=[(b"Authorization", value)])
    assert (answer.status_code, answer.json()["code"]) == (401, "token_missing")


async def test_i08_two_authorization_headers_are_refused(authority: Authority) -> None:
    bearer = f"Bearer {await authority.token()}"
    answer = await authority.http.get(READ, headers=[("Authorization", bearer), ("Authorization", bearer)])
    assert answer.status_code == 401


async def test_i08_a_token_in_the_query_is_not_looked_at(authority: Authority) -> None:
    answer = await authority.http.get(READ, params={"access_token": await authority.token()})
    assert answer.status_code == 401


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_i08_a_call_from_another_site_is_refused_even_with_a_token(
    authority: Authority, site: str
) -> None:
    headers = {"Authorization": f"Bearer {await authority.token()}", "Sec-Fetch-Site": site}
    answer = await authority.http.get(READ, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")
    assert denials(authority) == ["cross_site"]


async def test_i08_no_other_site_is_let_in_by_cors(authority: Authority) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for method in ("OPTIONS", "GET", "POST"):
        answer = await authority.http.request(method, "/v1/revocations", headers=headers)
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"]
)
async def test_i08_a_write_that_an_html_form_could_send_is_refused(
    authority: Authority, media_type: str
) -> None:
    headers = {"Authorization": f"Bearer {await authority.token()}", "Content-Type": media_type}
    answer = await authority.http.post(
        "/v1/clients", headers=headers, content=b'{"name":"x","access":{"%s":[]}}' % AUDIENCE.encode()
    )
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
