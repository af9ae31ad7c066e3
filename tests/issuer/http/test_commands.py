"""`revocast init` and `revocast serve issuer`, as a shell runs them."""

import json
import socket
import stat
from pathlib import Path

import pytest

from tests.issuer.http.process import revocast

URL = "http://127.0.0.1:8080"


def test_init_makes_private_files_and_says_what_they_are_for(tmp_path: Path) -> None:
    made = revocast("init", "--issuer", URL, "--home", str(tmp_path / "home"))
    assert made.returncode == 0, made.stderr
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "home").iterdir()}
    assert files.keys() >= {"root.pem", "master.key", "snapshot.pem", "operator.json", "revocast.db"}
    assert set(files.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700
    for told in ("root.pem", "offline", "REVOCAST_ROOT", "revocast topics ensure", "revocast serve issuer"):
        assert told in made.stdout


def test_init_shows_no_secret(tmp_path: Path) -> None:
    made = revocast("init", "--issuer", URL, "--home", str(tmp_path / "home"))
    secret = json.loads((tmp_path / "home" / "operator.json").read_text())["client_secret"]
    assert secret not in made.stdout + made.stderr
    assert (tmp_path / "home" / "master.key").read_text().strip() not in made.stdout + made.stderr


def test_init_answers_in_json(tmp_path: Path) -> None:
    made = revocast("init", "--issuer", URL, "--json", REVOCAST_HOME=str(tmp_path / "home"))
    answer = json.loads(made.stdout)
    assert answer["root_key"] == str(tmp_path / "home" / "root.pem")
    assert len(answer["root"]) == 43


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    revocast("init", "--issuer", URL, "--home", str(home))
    before = {path.name: path.read_bytes() for path in home.glob("*.*")}
    again = revocast("init", "--issuer", URL, "--home", str(home), "--json")
    assert (again.returncode, json.loads(again.stderr)["error"]) == (6, "conflict")
    assert {path.name: path.read_bytes() for path in home.glob("*.*")} == before


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--issuer", "issuer.example"], "issuer"),
        (["--issuer", "http://issuer.example"], "https"),
        (["--issuer", "https://issuer.example/"], "slash"),
        (["--issuer", "https://issuer.example?x"], "query"),
        (["--issuer", URL, "--alg", "HS256"], "alg"),
        (["--issuer", URL, "--claim", "a b"], "claim"),
        (["--issuer", URL, "--token-lifetime", "7200"], "token_lifetime"),
    ],
)
def test_init_with_a_wrong_option_makes_nothing(tmp_path: Path, arguments: list[str], named: str) -> None:
    made = revocast("init", "--home", str(tmp_path / "home"), *arguments)
    assert made.returncode == 2
    assert named in made.stderr
    assert not (tmp_path / "home" / "root.pem").exists()


def test_plain_http_on_another_host_must_be_asked_for(tmp_path: Path) -> None:
    made = revocast(
        "init", "--issuer", "http://issuer:8080", "--allow-http", "--home", str(tmp_path / "home")
    )
    assert made.returncode == 0, made.stderr


def test_serve_names_the_variable_that_is_missing(tmp_path: Path) -> None:
    started = revocast("serve", "issuer", REVOCAST_HOME=str(tmp_path))
    assert (started.returncode, "REVOCAST_KAFKA" in started.stderr) == (2, True)


def test_serve_without_init_says_what_to_run(tmp_path: Path) -> None:
    started = revocast(
        "serve", "issuer", REVOCAST_HOME=str(tmp_path / "nothing"), REVOCAST_KAFKA="127.0.0.1:9"
    )
    assert started.returncode != 0
    assert "revocast init" in started.stderr
    assert "Traceback" not in started.stderr


def test_serve_refuses_another_authoritys_master_key(tmp_path: Path) -> None:
    for name in ("one", "two"):
        revocast("init", "--issuer", URL, "--home", str(tmp_path / name))
    started = revocast(
        "serve",
        "issuer",
        "--home",
        str(tmp_path / "one"),
        REVOCAST_KAFKA="127.0.0.1:9",
        REVOCAST_MASTER_KEY_FILE=str(tmp_path / "two" / "master.key"),
    )
    assert started.returncode != 0
    assert "master key" in started.stderr


def test_serve_says_which_address_is_taken(tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    revocast("init", "--issuer", URL, "--home", home)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        started = revocast(
            "serve", "issuer", "--home", home, "--listen", address, REVOCAST_KAFKA="127.0.0.1:9"
        )
    assert started.returncode == 1
    assert f"error: cannot listen on {address}" in started.stderr
    assert "address already in use" in started.stderr
    assert "Traceback" not in started.stderr


def test_init_reads_the_databases_url_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"sqlite:///{tmp_path / 'elsewhere.db'}\n")
    home = tmp_path / "home"
    made = revocast(
        "init", "--issuer", URL, "--home", str(home), REVOCAST_DATABASE_URL_FILE=str(tmp_path / "url")
    )
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "elsewhere.db").exists()
    assert not (home / "revocast.db").exists()
