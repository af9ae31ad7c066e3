"""The operator's settings: the environment, else `operator.json` that `revocast init` wrote."""

import os
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from stat import S_IRWXG, S_IRWXO
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from revocast.cli.errors import Misused
from revocast.schemas.errors import SchemaError, SettingsError
from revocast.schemas.https import HttpsCallerSettings
from revocast.schemas.jose import parse_json
from revocast.schemas.settings import KafkaSettings, Settings

__all__ = ["OperatorSettings", "kafka_settings", "operator_settings", "trust_settings"]

S = TypeVar("S", bound=Settings)

_FIELDS = ("issuer", "client_id", "client_secret", "root", "kafka", "prefix")
_HINT = (
    "Set REVOCAST_ISSUER, REVOCAST_CLIENT_ID and REVOCAST_CLIENT_SECRET_FILE, or point REVOCAST_HOME to the "
    "folder in which `revocast init` wrote operator.json."
)


class OperatorSettings(HttpsCallerSettings):
    """Who we are to the issuer. The secret is never shown and never written; it travels over TLS, or on this host."""

    issuer: str = Field(pattern=r"^https?://")
    client_id: str = Field(min_length=1)
    client_secret: SecretStr = Field(min_length=1)
    allow_http: bool = Field(False, description="a private test network, in which plain http is enough")

    @property
    def is_local(self) -> bool:
        """Whether the issuer is on this host."""
        host = urlsplit(self.issuer).hostname or ""
        try:
            return host == "localhost" or ip_address(host).is_loopback
        except ValueError:
            return False


class TrustSettings(HttpsCallerSettings):
    """Whose log it is: the issuer URL, and the root's RFC 7638 thumbprint if it is pinned here."""

    issuer: str = Field(pattern=r"^https?://")
    root: str | None = None


def operator_settings(environ: Mapping[str, str] = os.environ) -> OperatorSettings:
    """Raises `Misused`, naming the variable."""
    settings = _read(OperatorSettings, environ, _HINT)
    if settings.issuer.startswith("http://") and not settings.is_local and not settings.allow_http:
        raise Misused(
            f"REVOCAST_ISSUER is {settings.issuer}: the client secret would travel in the clear",
            "Use https. In a private test network: REVOCAST_ALLOW_HTTP=true.",
        )
    return settings


def trust_settings(environ: Mapping[str, str] = os.environ) -> TrustSettings:
    """Raises `Misused`, naming the variable."""
    return _read(
        TrustSettings, environ, "Set REVOCAST_ISSUER, and REVOCAST_ROOT to check against a pinned root."
    )


def kafka_settings(environ: Mapping[str, str] = os.environ) -> KafkaSettings:
    """Raises `Misused`, naming the variable."""
    return _read(KafkaSettings, environ, "Set REVOCAST_KAFKA to host:port of a broker.")


def _read(kind: type[S], environ: Mapping[str, str], hint: str) -> S:
    try:
        return kind.from_env({**environ, **_from_file(environ)})
    except SettingsError as error:
        raise Misused(str(error), hint) from None


def _from_file(environ: Mapping[str, str]) -> dict[str, str]:
    home = Path(environ.get("REVOCAST_HOME") or Path.home() / ".local/share/revocast")
    path = home / "operator.json"
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & (S_IRWXG | S_IRWXO):
                raise Misused(f"{path} holds a secret and others may read it", f"Run: chmod 600 {path}")
            content: Any = parse_json(file.read())
    except FileNotFoundError:
        return {}
    except (OSError, SchemaError) as error:
        raise Misused(f"{path} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise Misused(f"{path} is not a JSON object", "Run `revocast init` again, or set the environment.")
    found = {f"REVOCAST_{name.upper()}": str(content[name]) for name in _FIELDS if content.get(name)}
    return {name: text for name, text in found.items() if not {name, f"{name}_FILE"} & environ.keys()}
