"""A connection is as protected as its settings say, or they are refused."""

import ssl
from pathlib import Path

import pytest

from revocast.dev.broker.certificates import Authority, Identity
from revocast.schemas.errors import SettingsError
from revocast.schemas.https import HttpsCallerSettings, HttpsServerSettings
from revocast.schemas.settings import KafkaSettings

KAFKA = "REVOCAST_KAFKA"
LOGIN = {f"{KAFKA}_SECURITY": "sasl_ssl", f"{KAFKA}_USERNAME": "orders", f"{KAFKA}_PASSWORD": "s3cret"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def client(authority: Authority) -> Identity:
    return authority.issue("orders")


def read(**environ: str) -> KafkaSettings:
    return KafkaSettings.from_env({KAFKA: "b:1", **environ})


def test_without_a_word_about_security_the_connection_is_plain() -> None:
    assert read().client_options() == {"bootstrap_servers": "b:1"}


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({f"{KAFKA}_CA": "ca.pem"}, "KAFKA_CA: has no effect while REVOCAST_KAFKA_SECURITY is plaintext"),
        ({f"{KAFKA}_CERTIFICATE": "c", f"{KAFKA}_KEY": "k"}, "KAFKA_CERTIFICATE: has no effect"),
        ({f"{KAFKA}_KEY_PASSWORD": "x"}, "KAFKA_KEY_PASSWORD: has no effect"),
        ({f"{KAFKA}_MECHANISM": "PLAIN"}, "KAFKA_MECHANISM: has no effect"),
        ({f"{KAFKA}_USERNAME": "orders"}, "KAFKA_USERNAME: has no effect"),
        ({f"{KAFKA}_PASSWORD": "s3cret"}, "KAFKA_PASSWORD: has no effect"),
        ({**LOGIN, f"{KAFKA}_SECURITY": "plaintext"}, "KAFKA_PASSWORD: has no effect"),
        (
            {**LOGIN, f"{KAFKA}_SECURITY": "ssl"},
            "KAFKA_PASSWORD: has no effect while REVOCAST_KAFKA_SECURITY is ssl",
        ),
        ({**LOGIN, f"{KAFKA}_USERNAME": ""}, "KAFKA_USERNAME: is missing"),
        ({**LOGIN, f"{KAFKA}_PASSWORD": ""}, "KAFKA_PASSWORD: is missing"),
        ({f"{KAFKA}_SECURITY": "sasl_plaintext"}, "KAFKA_SECURITY: Input should be"),
        ({f"{KAFKA}_SECURITY": "SSL"}, "KAFKA_SECURITY: Input should be"),
        ({**LOGIN, f"{KAFKA}_MECHANISM": "GSSAPI"}, "KAFKA_MECHANISM: Input should be"),
        ({f"{KAFKA}_SECURITY": "ssl", f"{KAFKA}_CERTIFICATE": "c"}, "KAFKA_KEY: is missing"),
        ({f"{KAFKA}_SECURITY": "ssl", f"{KAFKA}_KEY": "k"}, "KAFKA_CERTIFICATE: is missing"),
        ({f"{KAFKA}_SECURITY": "ssl", f"{KAFKA}_KEY_PASSWORD": "x"}, "KAFKA_CERTIFICATE: is missing"),
        ({f"{KAFKA}_SECURITY": "ssl", f"{KAFKA}_CA": "/nowhere"}, "KAFKA_CA: cannot be read"),
    ],
)
def test_a_protection_that_would_not_be_there_is_an_error_that_names_the_variable(
    environ: dict[str, str], variable: str
) -> None:
    with pytest.raises(SettingsError) as error:
        read(**environ)
    assert str(error.value).startswith(f"REVOCAST_{variable}")
    assert "s3cret" not in str(error.value)


def test_a_login_goes_over_tls_that_checks_chain_and_host_name(authority: Authority) -> None:
    options = read(**LOGIN, **{f"{KAFKA}_CA": str(authority.ca)}).client_options()
    context = options.pop("ssl_context")
    assert options == {
        "bootstrap_servers": "b:1",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "orders",
        "sasl_plain_password": "s3cret",
    }
    assert context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert [found["subject"] for found in context.get_ca_certs()] == [
        ((("commonName", "Revocast development authority"),),)
    ]


def test_a_password_is_not_in_what_settings_show(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("s3cret\n")
    environ = {name: value for name, value in LOGIN.items() if not name.endswith("PASSWORD")}
    settings = read(**environ, **{f"{KAFKA}_PASSWORD_FILE": str(file)})
    assert "s3cret" not in f"{settings!r} {settings.model_dump()}"
    assert settings.client_options()["sasl_plain_password"] == "s3cret"


def test_a_certificate_with_another_key_or_none_that_opens_is_an_error(
    authority: Authority, client: Identity, tmp_path: Path
) -> None:
    other = authority.issue("other")
    sealed = tmp_path / "sealed.key"
    sealed.write_bytes(client.sealed_key("pass phrase"))

    def problem(key: Path, **more: str) -> str:
        with pytest.raises(SettingsError) as error:
            read(
                **{
                    f"{KAFKA}_SECURITY": "ssl",
                    f"{KAFKA}_CERTIFICATE": str(client.certificate),
                    f"{KAFKA}_KEY": str(key),
                    **more,
                }
            )
        return str(error.value)

    names = "REVOCAST_KAFKA_CERTIFICATE and REVOCAST_KAFKA_KEY"
    assert problem(other.key) == f"{names}: the key is not this certificate's"
    assert problem(client.certificate).startswith(names)
    assert problem(tmp_path / "none").startswith(f"{names}: cannot be read")
    unopened = f"{names}: not in PEM, or the pass phrase is not the key's"
    assert problem(sealed) == problem(sealed, **{f"{KAFKA}_KEY_PASSWORD": "guess"}) == unopened
    opened = read(
        **{
            f"{KAFKA}_SECURITY": "ssl",
            f"{KAFKA}_CERTIFICATE": str(client.certificate),
            f"{KAFKA}_KEY": str(sealed),
            f"{KAFKA}_KEY_PASSWORD": "pass phrase",
        }
    )
    assert opened.client_options()["security_protocol"] == "SSL"


def test_a_server_has_certificate_and_key_or_neither(client: Identity) -> None:
    pair = {"REVOCAST_TLS_CERTIFICATE": str(client.certificate), "REVOCAST_TLS_KEY": str(client.key)}
    assert HttpsServerSettings.from_env({}).server_options() == {}
    assert HttpsServerSettings.from_env(pair).scheme == "https"
    for name, missing in (("CERTIFICATE", "KEY"), ("KEY", "CERTIFICATE")):
        alone = {f"REVOCAST_TLS_{name}": pair[f"REVOCAST_TLS_{name}"]}
        with pytest.raises(SettingsError, match=f"^REVOCAST_TLS_{missing}: is missing"):
            HttpsServerSettings.from_env(alone)
    with pytest.raises(SettingsError, match=r"^REVOCAST_TLS_CERTIFICATE and REVOCAST_TLS_KEY: "):
        HttpsServerSettings.from_env({**pair, "REVOCAST_TLS_KEY": str(client.certificate)})


def test_a_caller_trusts_the_authorities_that_are_named_and_no_others(
    authority: Authority, client: Identity
) -> None:
    trusting = HttpsCallerSettings.from_env({"REVOCAST_TLS_CA": str(authority.ca)}).caller_context()
    assert len(trusting.get_ca_certs()) == 1
    with pytest.raises(SettingsError, match=r"^REVOCAST_TLS_CA: "):
        HttpsCallerSettings.from_env({"REVOCAST_TLS_CA": str(client.key)})
