"""I11: text that would act somewhere is refused where it is for people, and inert where it must be kept exactly."""

import json
import logging
from pathlib import Path

import httpx
import pytest

from revocast.issuer.bootstrap import Home, Plan, init
from tests.cli.conftest import Cli
from tests.issuer.http.authority import AUDIENCE, Authority
from tests.issuer.http.conftest import authority, made
from tests.issuer.http.process import free_port
from tests.sdk.serving import serving

__all__ = ["authority", "made"]

ACTIVE = [
    "\x1b[2J\x1b[31mred",  # a terminal's escape sequence
    "\x9b31m",  # the same in one C1 character
    "two\r\nlines",
    "two\u2028lines",
    "\x00",
    "\u202egnp.exe",  # right to left
    "\u2066hidden\u2069",
    "\x7f",
]
PLAIN = [
    "'; DROP TABLE head; --",
    '" OR 1=1',
    "{{7*7}} ${jndi:ldap://x} %s %n",
    "<script>alert(1)</script>",
    '=HYPERLINK("http://x")',
    "Ünïcödé ✓ 漢字",
]


@pytest.mark.parametrize(
    ("path", "field", "body"),
    [
        (
            "/v1/revocations",
            "reason",
            {"selector": {"kind": "subject", "values": ["alice"]}, "slot": "block"},
        ),
        ("/v1/lifts", "reason", {"selector": {"kind": "subject", "values": ["alice"]}, "slot": "block"}),
        ("/v1/keys/some/revoke", "reason", {}),
        ("/v1/clients", "name", {"access": {}}),
        ("/v1/clients", "client_id", {"access": {}, "name": "x"}),
        ("/v1/resource-servers", "name", {"audience": "x", "scopes": []}),
        ("/v1/resource-servers", "audience", {"name": "x", "scopes": []}),
    ],
)
async def test_i11_text_that_acts_is_refused(
    authority: Authority, path: str, field: str, body: dict[str, object]
) -> None:
    for text in ACTIVE:
        answer = await authority.call("POST", path, json={**body, field: text})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), ascii(text)
        assert text not in answer.text


@pytest.mark.parametrize("text", PLAIN)
async def test_i11_other_text_comes_back_as_it_was(authority: Authority, text: str) -> None:
    selector = {"kind": "subject", "values": [text]}
    await authority.operate("POST", "/v1/revocations", selector=selector, slot="block", reason=text)
    (item,) = (await authority.operate("GET", "/v1/revocations", value=text))["items"]
    assert (item["selector"]["values"], item["reason"]) == ([text], text)
    assert (await authority.operate("GET", "/v1/revocations", value=text + "x"))["items"] == []


@pytest.mark.parametrize("sub", [text for text in (*ACTIVE, *PLAIN) if text != "\x00"])
async def test_i11_a_subject_is_kept_by_exact_code_points_and_shown_escaped(
    authority: Authority, sub: str
) -> None:
    """A subject is another system's name: it must be revocable whatever is in it."""
    client_id, _ = await authority.client()
    body = {"client_id": client_id, "sub": sub, "audience": AUDIENCE}
    token = (await authority.operate("POST", "/v1/tokens", **body))["access_token"]
    selector = {"kind": "subject", "values": [sub]}
    await authority.operate("POST", "/v1/revocations", selector=selector, slot="block")
    assert await authority.answer_for(token) == "token_revoked"
    raw = (await authority.call("GET", "/v1/revocations")).content
    assert json.loads(raw)["items"][0]["selector"]["values"] == [sub]
    assert not set(raw) & set(range(32)), "a control character stands in the answer"
    (event,) = authority.audited("revocast.revoked")
    assert json.dumps(event["data"]).isascii()


async def test_i11_what_no_selector_can_name_is_not_minted_either(authority: Authority) -> None:
    """NUL: PostgreSQL cannot store it."""
    client_id, _ = await authority.client()
    for sub in ("\x00", "a" * 1025):
        body = {"client_id": client_id, "sub": sub, "audience": AUDIENCE}
        assert (await authority.call("POST", "/v1/tokens", json=body)).status_code == 422
        revocation = {"selector": {"kind": "subject", "values": [sub]}, "slot": "block"}
        assert (await authority.call("POST", "/v1/revocations", json=revocation)).status_code == 422


async def test_i11_nothing_that_a_caller_chose_reaches_the_log(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)  # also what Authlib and Starlette would say
    token = await authority.user_token("marked-subject")
    for path in (
        f"/v1/revocations?value={token}",
        f"/{token}",
        f"/v1/keys/{token}/revoke",
        f"/oauth/token?x={token}",
    ):
        await authority.call("POST", path, json={"reason": "marked-reason"})
    await authority.operate("POST", "/v1/explain", token=token)
    await authority.http.post(
        "/oauth/introspect", auth=("marked-client", "marked-secret"), data={"token": token}
    )
    await authority.ask_token(authority.operator)
    lines = [
        record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))
    ]
    assert any("/v1/keys/{kid}/revoke" in line for line in lines)
    for secret in (*token.split("."), "marked", authority.operator[1], "%0d"):
        assert not [line for line in lines if secret in line]


async def test_i11_the_command_line_shows_nothing_that_acts(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    """A terminal sees no control character and no text direction mark, in no command that shows a name or a reason."""
    port, home, token = free_port(), tmp_path / "home", tmp_path / "token.jwt"
    init(Home(home), Plan(url := f"http://127.0.0.1:{port}"))
    cli = Cli({"REVOCAST_ISSUER": url, "REVOCAST_HOME": str(home)})
    sub = "".join(text for text in ACTIVE if text != "\x00")
    async with Authority(home) as authority:
        token.write_text(await authority.user_token(sub))
        with serving(authority.app, port):
            for code, *arguments in (
                (3, "block", "subject", sub, "--reason", "pending: there is no relay here"),
                (0, "list"),
                (0, "list", "--json"),
                (0, "list", "--value", sub),
                (0, "explain", str(token)),
                (6, "block", "subject", "bob", "--reason", sub),
                (3, "lift", "subject", sub),
            ):
                with subtests.test(ascii(arguments)):
                    done = cli(*map(str, arguments))
                    shown = done.out + done.err
                    assert done.code == code, ascii(shown)
                    assert not [char for char in shown if not (char.isprintable() or char == "\n")]


async def test_i11_a_spreadsheet_formula_stays_text(authority: Authority) -> None:
    """Everything is answered as JSON, whatever a caller would rather have: no answer opens in a spreadsheet."""
    formula = '=HYPERLINK("http://evil.example","x")'
    selector = {"kind": "subject", "values": [formula]}
    await authority.operate("POST", "/v1/revocations", selector=selector, slot="block", reason=formula)
    headers = {"Authorization": f"Bearer {await authority.token()}", "Accept": "text/csv"}
    for path in ("/v1/revocations", "/v1/log"):
        answer = await authority.http.get(path, headers=headers)
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "forwarded", ["<token>", "\x9b31m", "10.0.0.1 <token>", "::1%<token>", "<token>, 127.0.0.1"]
)
async def test_i11_what_a_proxy_passes_on_as_an_address_is_one_or_is_not_logged(
    authority: Authority, caplog: pytest.LogCaptureFixture, forwarded: str
) -> None:
    """And so is a method: a caller may send any word as either."""
    caplog.set_level(logging.INFO)
    token = await authority.token()
    sent = forwarded.replace("<token>", token)
    with serving(authority.app) as url:
        async with httpx.AsyncClient(base_url=url) as http:
            await http.get("/healthz", headers=[(b"X-Forwarded-For", sent.encode("latin-1"))])
            await http.get("/healthz", headers={"X-Forwarded-For": "192.0.2.7"})
    transport = httpx.ASGITransport(authority.app)
    async with httpx.AsyncClient(base_url=url, transport=transport) as http:
        await http.request(token, "/healthz")
    lines = [record.getMessage() for record in caplog.records if record.name.endswith("access_log")]
    assert any(line.startswith("192.0.2.7 GET /healthz 200") for line in lines)
    # A client may write a method in capitals.
    assert not [line for line in lines if token[-20:].upper() in line.upper() or not line.isprintable()]
