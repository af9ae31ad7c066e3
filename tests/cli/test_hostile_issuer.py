"""An issuer that somebody else has taken over: what it answers reaches no operator's terminal as a command."""

import json
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.sdk.lone_issuer import answering
from tests.sdk.serving import serving

ESCAPE = "\x1b]0;pwned\x07\x1b[2J\u202e"
ROW = {"selector": {"kind": "subject", "values": [ESCAPE]}, "slot": "block", "expires_at": None}
RECEIPT = {"status": "published", "n": ESCAPE, "revocations": [ROW]}


def _asked(token: Any, answer: Any, *command: str) -> tuple[int, str]:
    """Exit code and all that the command writes, when the issuer answers so."""

    async def issuer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            body = token if scope["path"] == "/oauth/token" else answer
            await answering(200, json.dumps(body).encode())(scope, receive, send)

    with serving(issuer) as url:
        environ = {"REVOCAST_ISSUER": url, "REVOCAST_CLIENT_ID": "x", "REVOCAST_CLIENT_SECRET": "y"}
        done = Cli(environ)(*command)
    return done.code, done.out + done.err


@pytest.mark.parametrize(
    ("answer", "command"),
    [
        ({"access_token": ESCAPE}, ["mint", "alice", "--client", "web", "--audience", "orders"]),
        (RECEIPT, ["block", "subject", "alice"]),
    ],
)
def test_an_answer_of_escapes_is_shown_and_not_obeyed(answer: Any, command: list[str]) -> None:
    code, said = _asked({"access_token": "t"}, answer, *command)
    assert code == 0, said
    assert "\\x1b]0;pwned" in said
    assert not {"\x1b", "\x07", "\u202e"} & set(said)


@pytest.mark.parametrize(
    ("token", "answer"),
    [
        ([], {}),
        ({}, {}),
        ({"access_token": 1}, {}),
        ({"access_token": "a\nb"}, {}),
        ({"access_token": "t"}, []),
    ],
)
def test_an_answer_of_another_form_is_said_to_be_one(token: Any, answer: Any) -> None:
    code, said = _asked(token, answer, "status")
    assert code != 0
    assert "something else than the issuer does" in said
    assert "Traceback" not in said
