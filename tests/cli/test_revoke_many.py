"""`revocast revoke-many` against a running issuer."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import REVOCAST, Cli


def test_a_list_is_revoked_counted_and_published(operator_cli: Cli, token: str, tmp_path: Path) -> None:
    file = tmp_path / "leaked.txt"
    file.write_text("many-1\nmany-2\n\nmany-1\n")
    dry = operator_cli("revoke-many", str(file), "--dry-run")
    assert dry.code == 0 and "would write 2 rows" in dry.out
    done = operator_cli("revoke-many", str(file), "--reason", "a leak")
    assert done.code == 0, done.err
    assert (
        "published up to n = " in done.out
        and "wrote 2 rows in 1 records, 1 said nothing new, 0 bad" in done.out
    )
    listed = operator_cli("list", "--kind", "token", "--value", "many-2", "--json").data
    assert listed["items"][0]["reason"] == "a leak"


def test_whole_tokens_are_revoked_by_json_lines(operator_cli: Cli, token: str, tmp_path: Path) -> None:
    file = tmp_path / "leaked.jsonl"
    file.write_text(json.dumps({"token": token}) + "\n")
    assert operator_cli("revoke-many", str(file)).code == 0
    assert operator_cli("explain", "-", "--json", stdin=token).data["answer"] == "refused"


def test_bad_lines_are_told_by_number_and_never_by_what_they_say(operator_cli: Cli, tmp_path: Path) -> None:
    file, bad = tmp_path / "mixed.csv", tmp_path / "bad.txt"
    file.write_text(
        "kind,value,slot\nsubject,many-3,cutoff\nsubject,many-4,\nsecret-row\nsubject,many-5,cutoff\n"
    )
    done = operator_cli("revoke-many", str(file))
    assert done.code == 1 and "wrote 2 rows" in done.out and "2 bad" in done.out
    assert "line 3: line: slot is required with selector" in done.err and "line 4: has 1 cells" in done.err
    assert "secret-row" not in done.err + done.out
    done = operator_cli("revoke-many", str(file), "--bad-lines", str(bad), "--json")
    assert done.code == 1 and done.data["rows"] + done.data["unchanged"] == 2 and not done.err
    assert len(bad.read_text().splitlines()) == 2


def test_stdin_is_read_and_many_lines_want_a_yes(operator_cli: Cli) -> None:
    environ = {"PATH": "/usr/bin:/bin", "TERM": "dumb", **operator_cli.environ}
    names = "".join(f"stdin-{number}\n" for number in range(1001)).encode()
    command = [*REVOCAST, "revoke-many", "-"]
    asked = subprocess.run(command, env=environ, input=names, capture_output=True, timeout=60, check=False)
    assert asked.returncode == 2 and b"--yes" in asked.stderr
    done = subprocess.run(
        [*command, "--yes"], env=environ, input=names, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0 and b"wrote 1,001 rows in 2 records" in done.stdout


def test_it_goes_on_behind_the_line_that_was_done(operator_cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_text("on-1\non-2\n on-3\non-4\n")
    done = operator_cli("revoke-many", str(file), "--resume", "incident-7:2", "--json")
    assert (done.data["operation"], done.data["line"], done.data["rows"], done.data["bad"]) == (
        "incident-7",
        4,
        1,
        1,
    )
    assert "line 3: " in done.err


@pytest.mark.parametrize("resume", ["7", ":7", "op:", "op:x"])
def test_a_place_that_is_none_is_misuse(operator_cli: Cli, tmp_path: Path, resume: str) -> None:
    assert operator_cli("revoke-many", str(tmp_path / "x"), "--resume", resume).code == 2


def test_an_operator_without_the_right_is_told_which(operator_cli: Cli, tmp_path: Path) -> None:
    issuer = operator_cli.environ["REVOCAST_ISSUER"]
    made = operator_cli("clients", "register", "Single", "--access", f"{issuer}=revocast:revoke", "--json")
    assert made.code == 0, made.err
    single = operator_cli.having(
        REVOCAST_CLIENT_ID=made.data["client_id"], REVOCAST_CLIENT_SECRET=made.data["client_secret"]
    )
    file = tmp_path / "names.txt"
    file.write_text("a\n")
    done = single("revoke-many", str(file))
    assert done.code == 5 and "Nothing is known to be done" in done.err
