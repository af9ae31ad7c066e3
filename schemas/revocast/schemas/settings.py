"""Settings from the environment: one frozen object per program, validated at start, passed in."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from revocast.schemas.errors import SettingsError
from revocast.schemas.topics import Topics

__all__ = ["KafkaSettings", "Settings"]

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
            lines = [
                f"{cls.ENV_PREFIX}{str(item['loc'][0]).upper() if item['loc'] else '*'}: {item['msg']}"
                for item in error.errors(include_input=False, include_url=False)
            ]
            raise SettingsError("; ".join(lines)) from None


class KafkaSettings(Settings):
    """Where Kafka is: `kafka` is bootstrap servers, `host:port[,host:port]`; `prefix` begins every topic's name."""

    kafka: str = Field(min_length=1, description="bootstrap servers, host:port[,host:port]")
    prefix: str = Field(
        "revocast", pattern=r"^[A-Za-z0-9._-]{1,100}$", description="begins the name of every topic"
    )

    @property
    def topics(self) -> Topics:
        """The deployment's topics."""
        return Topics(self.prefix)

    def client_options(self) -> dict[str, Any]:
        """Keyword arguments for every aiokafka client."""
        return {"bootstrap_servers": self.kafka}


def _content(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{variable}: {path} cannot be read: {error.strerror}") from None
