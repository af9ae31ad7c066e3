"""Revoke, block, lift, list, explain: the command against a running issuer."""

from pathlib import Path

import pytest

from revocast.cli.operator import Operator
from tests.cli.conftest import Cli


def _explained(cli: Cli, token: str) -> str:
    done = cli("explain", "-", "--json", stdin=token)
    assert done.code == 0, done.err
    return str(done.data["answer"])


def test_in_a_hurry_one_command_signs_out_and_says_what_it_did(operator_cli: Cli) -> None:
    done = operator_cli("revoke", "subject", "hurry", "--reason", "phone stolen")
    assert done.code == 0, done.err
    assert "published as n = " in done.out
    assert "refuses every token of subject hurry issued at or before 20" in done.out


def test_a_token_is_revoked_from_a_file_and_explained_from_stdin(
    operator_cli: Cli, token: str, tmp_path: Path
) -> None:
    assert _explained(operator_cli, token) == "accepted"
    file = tmp_path / "token.jwt"
    file.write_text(token + "\n")
    assert operator_cli("revoke", "token", "--token-file", str(file)).code == 0
    done = operator_cli("explain", str(file))
    assert "refused: token_revoked" in done.out
    assert "refuses this token" in done.out
    assert operator_cli("explain", str(file), "--check").code == 1


@pytest.mark.parametrize("command", [("explain",), ("revoke", "token")])
def test_a_token_on_the_command_line_is_refused_and_not_repeated(
    operator_cli: Cli, token: str, command: tuple[str, ...]
) -> None:
    done = operator_cli(*command, token)
    assert done.code == 2
    assert "does not belong on a command line" in done.err
    assert token not in done.out + done.err


def test_a_block_outlives_a_sign_out_and_is_lifted_by_name(operator_cli: Cli, token: str) -> None:
    assert operator_cli("block", "subject", "alice", "--until", "+2h").code == 0
    assert operator_cli("revoke", "subject", "alice", "--at", "-1d").code == 0
    assert _explained(operator_cli, token) == "refused"
    assert operator_cli("lift", "subject", "alice", "--slot", "cutoff").code == 0
    assert _explained(operator_cli, token) == "refused"
    assert operator_cli("lift", "subject", "alice").code == 0
    assert _explained(operator_cli, token) == "accepted"
    again = operator_cli("lift", "subject", "alice")
    assert (again.code, "nothing to do" in again.out) == (0, True)


def test_every_kind_can_be_revoked_and_is_listed(operator_cli: Cli) -> None:
    named = {
        "session s-1": ("session", "s-1"),
        "grant g-1": ("grant", "g-1"),
        "client c-1": ("client", "c-1"),
        "claim tenant = acme": ("claim", "tenant", "acme"),
        "client app for subject zoe": ("subject", "zoe", "--client", "app"),
        "token jti-1": ("token", "jti-1"),
    }
    for words, arguments in named.items():
        done = operator_cli("revoke", *arguments)
        assert done.code == 0, done.err
        assert words in done.out
    listed = operator_cli("list").out
    assert all(words in listed for words in named)
    only = operator_cli("list", "--kind", "session", "--value", "s-1", "--json").data["items"]
    assert [item["selector"]["values"] for item in only] == [["s-1"]]


def test_a_dry_run_writes_nothing(operator_cli: Cli) -> None:
    done = operator_cli("block", "client", "rehearsal", "--dry-run")
    assert (done.code, "nothing was written" in done.out) == (0, True)
    assert operator_cli("list", "--value", "rehearsal", "--json").data["items"] == []


@pytest.mark.parametrize(
    "command", [("revoke", "issuer"), ("block", "issuer"), ("keys", "revoke", "some-kid")]
)
def test_what_cannot_be_taken_back_is_asked_about(operator_cli: Cli, command: tuple[str, ...]) -> None:
    done = operator_cli(*command)
    assert done.code == 2
    assert "Add --yes if you mean it." in done.err


def test_an_undeclared_claim_is_refused_with_what_to_do(operator_cli: Cli) -> None:
    done = operator_cli("revoke", "claim", "planet", "mars", "--json")
    assert done.code == 6
    assert '"refused"' in done.err
    assert "declare it" in done.err


def test_a_wrong_secret_is_exit_code_5_and_is_not_shown(operator_cli: Cli) -> None:
    done = operator_cli.having(REVOCAST_CLIENT_SECRET="not-the-secret")("list")
    assert done.code == 5
    assert "not-the-secret" not in done.err + done.out


def test_an_issuer_that_is_away_is_exit_code_4(operator_cli: Cli) -> None:
    done = operator_cli.having(REVOCAST_ISSUER="http://127.0.0.1:1")("revoke", "subject", "alice")
    assert done.code == 4
    assert "does not answer" in done.err
    assert "Traceback" not in done.err


def test_i11_text_that_would_act_in_a_terminal_is_inert_where_it_is_listed(
    operator_cli: Cli, operator: Operator
) -> None:
    evil = "evil\x1b]0;owned\x07\u202e"
    body = {"selector": {"kind": "subject", "values": [evil]}, "slot": "cutoff"}
    operator.post("/v1/revocations", "revocast:revoke", body)
    for arguments in (("list",), ("list", "--json"), ("audit", "tail", "-n", "1000")):
        shown = operator_cli(*arguments).out
        assert "evil" in shown
        assert not set(shown) & set("\x1b\x07\u202e")


def test_keys_are_rotated_and_the_old_one_revoked(operator_cli: Cli, token: str) -> None:
    old = operator_cli("keys", "list", "--json").data["items"][0]
    rotated = operator_cli("keys", "rotate", "--alg", "EdDSA")
    assert rotated.code == 0, rotated.err
    assert "announced: " in rotated.out
    assert operator_cli("keys", "revoke", old["kid"], "--dry-run").code == 0
    assert _explained(operator_cli, token) == "accepted"
    done = operator_cli("revoke", "key", old["kid"], "--yes", "--reason", "leaked")
    assert done.code == 0, done.err
    assert "revoked" in operator_cli("keys", "list").out
