"""The issuer's settings."""

from pathlib import Path

import pytest

from revocast.issuer.settings import IssuerSettings, check_issuer_url
from revocast.schemas.errors import SettingsError

KAFKA = {"REVOCAST_KAFKA": "localhost:9092"}


def test_what_is_left_out_has_a_default() -> None:
    settings = IssuerSettings.from_env(KAFKA)
    assert (settings.host, settings.port, settings.relay) == ("127.0.0.1", 8080, True)
    assert settings.database == f"sqlite:///{Path.home()}/.local/share/revocast/revocast.db"


def test_a_secret_is_read_from_a_file_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://revocast:hunter2@db/revocast\n")
    settings = IssuerSettings.from_env({**KAFKA, "REVOCAST_DATABASE_URL_FILE": str(tmp_path / "url")})
    assert settings.database == "postgresql://revocast:hunter2@db/revocast"
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("REVOCAST_LISTEN", "8080"),
        ("REVOCAST_LISTEN", "localhost:"),
        ("REVOCAST_LISTEN", "localhost:http"),
        ("REVOCAST_LISTEN", "localhost:70000"),
        ("REVOCAST_RELAY", "perhaps"),
        ("REVOCAST_PUBLISH_TIMEOUT", "-1"),
        ("REVOCAST_PREFIX", "a/b"),
        ("REVOCAST_MASTER_KEY_FILE", "/nowhere/master.key"),
    ],
)
def test_an_error_names_the_variable(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        IssuerSettings.from_env({**KAFKA, variable: value})


def test_ipv6_addresses_are_listened_on() -> None:
    settings = IssuerSettings.from_env({**KAFKA, "REVOCAST_LISTEN": "[::1]:0"})
    assert (settings.host, settings.port) == ("::1", 0)


@pytest.mark.parametrize(
    "url", ["https://issuer.example", "https://issuer.example/auth", "http://localhost:1", "http://[::1]:1"]
)
def test_an_issuer_url_may_be_https_or_on_this_host(url: str) -> None:
    assert check_issuer_url(url) == url


@pytest.mark.parametrize(
    "url",
    ["http://issuer.example", "ftp://localhost", "https://a@b", "https://a#b", "https://", "https://a/", "x"],
)
def test_another_issuer_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        check_issuer_url(url)
