from typing import Any

import pytest

from revocast.schemas.errors import SettingsError
from revocast.sdk.settings import GuardSettings

ENVIRONMENT = {
    "REVOCAST_ISSUER": "https://ours.example",
    "REVOCAST_AUDIENCE": "orders",
    "REVOCAST_KAFKA": "k:9092",
}
A, B = "https://a.example", "https://b.example/realm"


def settings(jwks: str, **given: Any) -> GuardSettings:
    return GuardSettings.from_env({**ENVIRONMENT, "REVOCAST_JWKS": jwks}, **given)


@pytest.mark.parametrize(
    "text",
    [
        f"{A}={A}/jwks,{B}={B}/keys,{B}=https://standby.example/keys",
        f" {A} = {A}/jwks , {B}={B}/keys, {B}=https://standby.example/keys ",
        f'{{"{A}": "{A}/jwks", "{B}": ["{B}/keys", "https://standby.example/keys"]}}',
    ],
)
def test_issuers_and_their_urls_come_as_pairs_or_as_json(text: str) -> None:
    read = settings(text)
    assert read.jwks == {A: (f"{A}/jwks",), B: (f"{B}/keys", "https://standby.example/keys")}
    assert read.profile.issuers == {"https://ours.example", A, B}


def test_an_argument_is_a_mapping() -> None:
    given = GuardSettings.from_env(ENVIRONMENT, jwks={A: f"{A}/jwks", B: [f"{B}/keys"]})
    assert given.jwks == {A: (f"{A}/jwks",), B: (f"{B}/keys",)}
    assert GuardSettings.from_env(ENVIRONMENT).jwks == {}


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/jwks", "http://localhost/jwks", "http://[::1]/jwks"])
def test_plain_http_is_spoken_to_loopback(url: str) -> None:
    assert settings(f"{A}={url}").jwks == {A: (url,)}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{A}=http://a.example/jwks", "must be https"),
        (f"{A}=http://127.0.0.1.evil.example/jwks", "must be https"),
        (f"{A}=ftp://127.0.0.1/jwks", "must be https"),
        (f"{A}=file:///etc/passwd", "its URL is none"),
        (f"{A}=https://", "its URL is none"),
        (f"{A}=https://[::1/jwks", "its URL is none"),
        (f"{A}=https://a.example:99999/", "its URL is none"),
        (f"{A}=https://me:secret@a.example/jwks", "neither a login"),
        (f"{A}=https://a.example/jwks#keys", "fragment"),
        (f"{A}/jwks", "iss=url"),
        (f'{{"{A}": "{A}/1", "{A}": "{A}/2"}}', "not strict JSON"),
        (f'{{"{A}": 7}}', "a URL, or a list"),
        (f'{{"{A}": []}}', "a URL, or a list"),
        (f'{{"{A}": [7]}}', "its URL is none"),
        (f"={A}/jwks", "a URL, or a list"),
        (",".join(f"{A}={A}/{n}" for n in range(5)), "at most"),
        (",".join(f"{A}/{n}={A}/{n}" for n in range(33)), "at most"),
        ("https://ours.example=https://ours.example/jwks", "own issuer"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_the_variable(text: str, why: str) -> None:
    with pytest.raises(SettingsError, match=f"^REVOCAST_JWKS: .*{why}") as error:
        settings(text)
    assert "Value error" not in str(error.value)
    assert "secret" not in str(error.value)


def test_an_authority_of_its_own_must_be_readable() -> None:
    with pytest.raises(SettingsError, match="REVOCAST_JWKS_CA"):
        settings(f"{A}={A}/jwks", jwks_ca="/nowhere/ca.pem")
