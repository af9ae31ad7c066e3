"""Settings from the environment: one frozen object per program, validated at start, passed in."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails

from revocast.schemas.errors import SettingsError
from revocast.schemas.login_log import keep_logins_out
from revocast.schemas.tls import client_context, present
from revocast.schemas.topics import Topics

__all__ = ["KafkaSettings", "LogSettings", "Settings"]

_PREFIX = "REVOCAST_"


class Settings(BaseModel):
    """Base of every program's settings: field `listen` is read from `REVOCAST_LISTEN`.

    `REVOCAST_<FIELD>_FILE` names a file that holds the value instead: the way to pass a secret.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    ENV_PREFIX: ClassVar[str] = _PREFIX

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ, **given: Any) -> Self:
        """Read the environment; `given` values win, None counts as not given. Raises `SettingsError` naming the variable."""
        values: dict[str, Any] = {}
        for name in cls.model_fields:
            variable = cls.ENV_PREFIX + name.upper()
            if given.get(name) is not None:
                values[name] = given[name]
            elif environ.get(variable):
                values[name] = environ[variable]
            elif environ.get(f"{variable}_FILE"):
                values[name] = _content(f"{variable}_FILE", environ[f"{variable}_FILE"])
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            lines = [cls._line(item) for item in error.errors(include_input=False, include_url=False)]
            raise SettingsError("; ".join(lines)) from None

    @classmethod
    def _line(cls, item: ErrorDetails) -> str:
        said = item.get("ctx", {}).get("error")
        if item["loc"]:
            problem = said if isinstance(said, SettingsError) else item["msg"]
            return f"{cls.ENV_PREFIX}{str(item['loc'][0]).upper()}: {problem}"
        return str(said)  # of several fields together: it names them itself


class LogSettings(Settings):
    """How much a program tells. At no level it tells a token, a key or a secret."""

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="what goes to standard error; debug: the libraries' own debugging, too"
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="how it is written: text, a line an event; json: an object an event"
    )


class KafkaSettings(Settings):
    """Where Kafka is, and how its clients connect: encrypted and authenticated as `kafka_security` says.

    A setting that `kafka_security` would not use is an error: nobody must believe in a protection that is not there.
    """

    kafka: str = Field(min_length=1, description="bootstrap servers, host:port[,host:port]")
    prefix: str = Field(
        "revocast", pattern=r"^[A-Za-z0-9._-]{1,100}$", description="begins the name of every topic"
    )
    kafka_security: Literal["plaintext", "ssl", "sasl_ssl"] = Field(
        "plaintext", description="plaintext; ssl: TLS; sasl_ssl: TLS, and a login by user name and password"
    )
    kafka_ca: Path | None = Field(
        None,
        description="PEM file of the authorities that may sign a broker's certificate; default: the system's",
    )
    kafka_certificate: Path | None = Field(
        None, description="PEM file of this client's certificate with its chain, for mutual TLS"
    )
    kafka_key: Path | None = Field(None, description="PEM file of the certificate's private key")
    kafka_key_password: SecretStr | None = Field(None, description="pass phrase of the private key")
    kafka_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(
        "SCRAM-SHA-512", description="how sasl_ssl logs in: SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN"
    )
    kafka_username: str | None = Field(None, description="user name for sasl_ssl")
    kafka_password: SecretStr | None = Field(None, description="password for sasl_ssl")

    @model_validator(mode="after")
    def _protected_as_it_says(self) -> Self:
        given = {name for name in self.model_fields_set if getattr(self, name) is not None}
        if self.kafka_security == "plaintext":
            self._unused(given & (_TLS | _LOGIN), "plaintext", "ssl or sasl_ssl")
        elif self.kafka_security == "ssl":
            self._unused(given & _LOGIN, "ssl", "sasl_ssl")
        else:
            self._need("kafka_username", "kafka_password", why="REVOCAST_KAFKA_SECURITY is sasl_ssl")
        if given & {"kafka_certificate", "kafka_key", "kafka_key_password"}:
            self._need("kafka_certificate", "kafka_key", why="a certificate and its key go together")
        self.client_options()  # The files are read now: a wrong one is found at the start.
        return self

    @property
    def topics(self) -> Topics:
        """The deployment's topics."""
        return Topics(self.prefix)

    def client_options(self) -> dict[str, Any]:
        """Keyword arguments for every aiokafka client. Raises `SettingsError` when a file of theirs cannot be used."""
        options: dict[str, Any] = {"bootstrap_servers": self.kafka}
        if self.kafka_security == "plaintext":
            return options
        context = client_context(self.kafka_ca, f"{_PREFIX}KAFKA_CA")
        if self.kafka_certificate and self.kafka_key:
            present(
                context,
                self.kafka_certificate,
                self.kafka_key,
                f"{_PREFIX}KAFKA_CERTIFICATE and {_PREFIX}KAFKA_KEY",
                self.kafka_key_password.get_secret_value() if self.kafka_key_password else None,
            )
        options |= {"security_protocol": self.kafka_security.upper(), "ssl_context": context}
        if self.kafka_username and self.kafka_password:
            keep_logins_out()
            options |= {
                "sasl_mechanism": self.kafka_mechanism,
                "sasl_plain_username": self.kafka_username,
                "sasl_plain_password": self.kafka_password.get_secret_value(),
            }
        return options

    def _need(self, *names: str, why: str) -> None:
        for name in names:
            if not getattr(self, name):
                raise SettingsError(f"{_PREFIX}{name.upper()}: is missing; {why}")

    def _unused(self, names: set[str], security: str, wanted: str) -> None:
        if names:
            raise SettingsError(
                f"{_PREFIX}{min(names).upper()}: has no effect while {_PREFIX}KAFKA_SECURITY is {security}; set that to {wanted}"
            )


_TLS = {"kafka_ca", "kafka_certificate", "kafka_key", "kafka_key_password"}
_LOGIN = {"kafka_mechanism", "kafka_username", "kafka_password"}


def _content(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{variable}: {path} cannot be read: {error.strerror}") from None
