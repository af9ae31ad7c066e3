"""`revocast trust` on a machine without network: making roots, signing the first list, and what is refused there."""

import json
import os
import pty
import select
import subprocess
from pathlib import Path
from typing import Any

import pytest

from revocast.schemas.delegations import DelegationList, Role
from revocast.schemas.events import Envelope
from revocast.schemas.jose import PrivateKey
from revocast.schemas.trust import Trust
from revocast.schemas.verdict import Outcome
from tests.cli.conftest import REVOCAST, Cli

_ISSUER = "https://issuer.example"


@pytest.fixture
def offline(tmp_path: Path) -> Cli:
    """Neither issuer nor Kafka is to be had."""
    return Cli({"REVOCAST_HOME": str(tmp_path / "no-home")})


def made_root(offline: Cli, folder: Path, *options: str) -> tuple[Path, str]:
    """A root key's file and its thumbprint."""
    path = folder / "root.pem"
    done = offline(
        "trust",
        "init",
        "--new-root-key",
        str(path),
        "--out",
        str(folder / "root.pub.json"),
        *options,
        "--json",
    )
    assert done.code == 0, done.err
    return path, str(done.data["root"])


def request_of(root: str, folder: Path, **changed: Any) -> Path:
    """What `revocast init --root-public` writes."""
    event, snapshot = PrivateKey.generate(), PrivateKey.generate()
    keys = [
        {
            "kid": key.kid,
            "role": role,
            "state": "pending",
            "jwk": dict(key.public.jwk),
            "bound": None,
            "last": None,
        }
        for key, role in ((event, "event"), (snapshot, "snapshot"))
    ]
    content = {"issuer": _ISSUER, "list": None, "version": 0, "epoch": 1, "n": 0, "root": root, "keys": keys}
    path = folder / "request.json"
    path.write_text(json.dumps({**content, **changed}))
    return path


def test_a_root_is_made_for_its_owners_eyes_and_its_public_half_beside_it(
    offline: Cli, tmp_path: Path
) -> None:
    path, root = made_root(offline, tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    key = PrivateKey.from_pem(path.read_bytes())
    public = json.loads((tmp_path / "root.pub.json").read_text())
    assert (key.kid, public["kid"]) == (root, root)
    assert "d" not in public


def test_nothing_is_ever_overwritten(offline: Cli, tmp_path: Path) -> None:
    path, root = made_root(offline, tmp_path)
    before = path.read_bytes()
    again = offline("trust", "init", "--new-root-key", str(path), "--out", str(tmp_path / "other.json"))
    assert (again.code, "never overwritten" in again.err) == (2, True)
    taken = offline("trust", "init", "--new-root-key", str(tmp_path / "new.pem"), "--out", str(path))
    assert (taken.code, "Nothing is overwritten" in taken.err) == (2, True)
    request = request_of(root, tmp_path)
    signed = offline(
        "trust", "init", "--from", str(request), "--root-key", str(path), "--out", str(path), "--yes"
    )
    assert signed.code == 2
    assert path.read_bytes() == before
    assert not (tmp_path / "new.pem").exists()


def test_the_first_list_is_signed_from_the_request_and_a_reader_pinned_to_the_root_takes_it(
    offline: Cli, tmp_path: Path
) -> None:
    path, root = made_root(offline, tmp_path)
    request, out = request_of(root, tmp_path), tmp_path / "list.jwt"
    command = ("trust", "init", "--from", str(request), "--root-key", str(path), "--out", str(out))
    asked = offline(*command)
    assert (asked.code, out.exists()) == (2, False), "nobody was there to agree"
    for key in json.loads(request.read_text())["keys"]:
        assert f"{key['role']} key {key['kid']}" in asked.err, "shown before it is asked"
    done = offline(*command, "--days", "90", "--yes", "--json")
    assert done.code == 0, done.err
    compact = out.read_bytes().strip()
    assert Trust(_ISSUER, root).receive(compact, 0)[0].outcome is Outcome.APPLIED
    listed = DelegationList.from_event(Envelope.parse(compact).event())
    assert (listed.version, listed.epoch, listed.expires_at - listed.t) == (1, 1, 90 * 86_400)
    assert {key.role for key in listed.keys} == {Role.EVENT, Role.SNAPSHOT}
    shown = offline.having(REVOCAST_ISSUER=_ISSUER, REVOCAST_ROOT=root)("trust", "show", "--from", str(out))
    assert (shown.code, root in shown.out) == (0, True), shown.err


def test_a_request_for_another_root_or_with_a_key_under_a_false_name_is_refused(
    offline: Cli, tmp_path: Path
) -> None:
    path, root = made_root(offline, tmp_path)
    out = tmp_path / "list.jwt"

    def sign(request: Path) -> Any:
        arguments = ("--from", str(request), "--root-key", str(path), "--out", str(out), "--yes")
        return offline("trust", "init", *arguments)

    other = sign(request_of(PrivateKey.generate().kid, tmp_path))
    assert (other.code, "the request is for root" in other.err) == (6, True)
    key, stranger = PrivateKey.generate(), PrivateKey.generate()
    false = {
        "kid": key.kid,
        "role": "event",
        "state": "pending",
        "jwk": {**stranger.public.jwk, "kid": key.kid},
    }
    named = sign(request_of(root, tmp_path, keys=[false]))
    assert (named.code, "is not the thumbprint of the key" in named.err) == (2, True)
    none = sign(request_of(root, tmp_path, keys=[]))
    assert (none.code, "keys: " in none.err) == (2, True)
    assert not out.exists()


def test_a_pass_phrase_comes_from_a_file_and_is_never_said(offline: Cli, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("correct horse\n")
    sealing = offline.having(REVOCAST_NEW_ROOT_PASSWORD_FILE=str(secret))
    path, root = made_root(sealing, tmp_path, "--encrypt")
    assert b"ENCRYPTED" in path.read_bytes()
    arguments = ("trust", "init", "--root-key", str(path), "--out")
    locked = offline(*arguments, str(tmp_path / "a.json"))
    assert (locked.code, "REVOCAST_ROOT_PASSWORD_FILE" in locked.err) == (2, True)
    wrong = offline.having(REVOCAST_ROOT_PASSWORD="battery staple")(*arguments, str(tmp_path / "b.json"))
    assert (wrong.code, "battery" in wrong.err) == (2, False)
    opened = offline.having(REVOCAST_ROOT_PASSWORD_FILE=str(secret))(
        *arguments, str(tmp_path / "c.json"), "--json"
    )
    assert opened.data["root"] == root
    assert "horse" not in locked.err + wrong.err + opened.out + opened.err


def test_a_pass_phrase_is_asked_for_twice_on_a_terminal(offline: Cli, tmp_path: Path) -> None:
    path = tmp_path / "root.pem"
    arguments = ("--new-root-key", str(path), "--encrypt", "--out", str(tmp_path / "root.pub.json"))
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*REVOCAST, "trust", "init", *arguments],
        env={**os.environ, **offline.environ},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        try:
            for question in (b"New pass phrase for", b"Repeat for confirmation"):
                seen = b""
                # The last blank comes when the terminal echoes no more; what was typed before is thrown away.
                while question not in seen or not seen.endswith(b": "):
                    assert select.select([ours], [], [], 30)[0], seen
                    seen += os.read(ours, 4096)
                os.write(ours, b"open sesame\n")
            assert process.wait(30) == 0
        finally:
            process.kill()
            os.close(ours)
    public = json.loads((tmp_path / "root.pub.json").read_text())
    assert PrivateKey.from_pem(path.read_bytes(), password=b"open sesame").kid == public["kid"]


def test_a_root_that_others_may_read_is_refused_by_name(offline: Cli, tmp_path: Path) -> None:
    path, _ = made_root(offline, tmp_path)
    path.chmod(0o644)
    done = offline("trust", "init", "--root-key", str(path), "--out", str(tmp_path / "x.json"))
    assert (done.code, f"chmod 600 {path}" in done.err) == (2, True)


def test_a_signer_that_is_not_installed_names_those_that_are(offline: Cli, tmp_path: Path) -> None:
    done = offline("trust", "init", "--root-key", "hsm:slot=0", "--out", str(tmp_path / "x.json"))
    assert (done.code, "installed: file" in done.err) == (2, True)
