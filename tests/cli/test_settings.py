import json
from pathlib import Path

import pytest

from revocast.cli.errors import Misused
from revocast.cli.settings import operator_settings, trust_settings

CONTENT = {"issuer": "https://issuer.test", "client_id": "operator", "client_secret": "from-file"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "operator.json"
    path.write_text(json.dumps(CONTENT))
    path.chmod(0o600)
    return tmp_path


def test_the_operator_is_read_from_the_file_that_init_wrote(home: Path) -> None:
    settings = operator_settings({"REVOCAST_HOME": str(home)})
    assert settings.client_secret.get_secret_value() == "from-file"


def test_the_environment_wins_over_the_file(home: Path) -> None:
    settings = operator_settings({"REVOCAST_HOME": str(home), "REVOCAST_CLIENT_ID": "other"})
    assert settings.client_id == "other"


def test_a_secret_file_wins_over_the_file_of_init(home: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from-secret-file\n")
    environ = {"REVOCAST_HOME": str(home), "REVOCAST_CLIENT_SECRET_FILE": str(tmp_path / "secret")}
    assert operator_settings(environ).client_secret.get_secret_value() == "from-secret-file"


def test_a_file_that_others_can_read_is_refused(home: Path) -> None:
    (home / "operator.json").chmod(0o640)
    with pytest.raises(Misused, match="others may read it") as refused:
        operator_settings({"REVOCAST_HOME": str(home)})
    assert refused.value.hint.startswith("Run: chmod 600 ")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misused, match="REVOCAST_CLIENT_SECRET"):
        operator_settings({"REVOCAST_HOME": str(tmp_path), "REVOCAST_ISSUER": "https://issuer.test"})


def test_a_broken_file_is_an_error_and_not_a_traceback(home: Path) -> None:
    (home / "operator.json").write_text("[1, 2")
    with pytest.raises(Misused, match="cannot be read"):
        trust_settings({"REVOCAST_HOME": str(home)})


def test_no_settings_object_shows_the_secret(home: Path) -> None:
    assert "from-file" not in repr(operator_settings({"REVOCAST_HOME": str(home)}))


def test_a_secret_does_not_travel_in_the_clear_unless_that_is_said(home: Path) -> None:
    environ = {"REVOCAST_HOME": str(home), "REVOCAST_ISSUER": "http://issuer.test"}
    with pytest.raises(Misused, match="in the clear"):
        operator_settings(environ)
    assert operator_settings({**environ, "REVOCAST_ALLOW_HTTP": "true"}).allow_http
    assert operator_settings({**environ, "REVOCAST_ISSUER": "http://127.0.0.1:8080"}).is_local
