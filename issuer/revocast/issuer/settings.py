"""The issuer's settings, from `REVOCAST_…`."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from revocast.issuer.bootstrap import Home
from revocast.issuer.keystore import SealedKeys
from revocast.schemas.https import HttpsServerSettings
from revocast.schemas.record import MAX_ROWS
from revocast.schemas.settings import KafkaSettings, LogSettings, Settings

__all__ = ["HomeSettings", "IssuerSettings", "check_issuer_url"]

_DEFAULT_HOME = Path("~/.local/share/revocast")


def check_issuer_url(url: str, *, allow_http: bool = False) -> str:
    """RFC 8414 §2: https, no query, no fragment; plain http on this host, or where it is allowed. Raises `ValueError`."""
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("the issuer must be an https URL")
    if parts.query or parts.fragment or parts.username is not None:
        raise ValueError("the issuer must have no query, fragment or user")
    if url.endswith("/"):
        raise ValueError("the issuer must not end with a slash: issuers are compared by exact characters")
    if parts.scheme == "http" and not allow_http and not _is_loopback(parts.hostname):
        raise ValueError(
            "must be https unless it is on this host: tokens and secrets would travel in the clear"
        )
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _host_and_port(listen: str) -> str:
    host, colon, port = listen.rpartition(":")
    if not host or not colon or not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise ValueError("must be host:port")
    return listen


class HomeSettings(Settings):
    """Where the database and the keys are: what `revocast init` and `revocast serve issuer` both read."""

    home: Annotated[Path, AfterValidator(Path.expanduser)] = Field(
        _DEFAULT_HOME,
        validate_default=True,
        description="where `revocast init` put the database and the keys",
    )
    database_url: SecretStr | None = Field(
        None, description="sqlite:///… or postgresql://…; a file in `home` if left out"
    )
    master_key: SecretStr | None = Field(
        None, description="opens the private keys in the database; `home`/master.key if left out"
    )

    @property
    def database(self) -> str:
        """The database's URL."""
        return self.database_url.get_secret_value() if self.database_url else Home(self.home).database_url

    def key_store(self) -> SealedKeys:
        """What opens the private keys. Raises `NotInitialized` when there is no master key."""
        if self.master_key:
            return SealedKeys.from_text(self.master_key.get_secret_value())
        return SealedKeys.from_file(Home(self.home).master_key)


class IssuerSettings(HomeSettings, KafkaSettings, HttpsServerSettings, LogSettings):
    """Everything that `revocast serve issuer` reads. Times in seconds."""

    listen: Annotated[str, AfterValidator(_host_and_port)] = Field(
        "127.0.0.1:8080", description="host:port to listen on; port 0: a free one"
    )
    relay: bool = Field(True, description="whether this process may publish; one of all processes does")
    publish_timeout: float = Field(2.0, ge=0, le=30, description="how long an answer waits for Kafka")
    operator_writes: int = Field(
        100_000,
        ge=1,
        description="revocations and lifts that one operator may write at once in each process; as many come back over a day",
    )
    cut_records: int = Field(
        10_000, ge=1, description="a snapshot is cut after so many records since the last one"
    )
    cut_seconds: int = Field(
        6 * 3600, ge=1, description="and after so many seconds, if anything changed since"
    )
    log_age: int = Field(
        7 * 86_400,
        ge=1,
        description="how far the log reaches back at least; what is older goes once a snapshot holds it",
    )
    operator_rows: int = Field(
        2_000_000,
        ge=MAX_ROWS,
        description="rows of files that one operator may write at once in each process; as many come back over a day",
    )
    shutdown_timeout: int = Field(10, ge=1, description="how long open requests may take at the end")

    @property
    def host(self) -> str:
        """The address to listen on."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to listen on; 0 picks a free one."""
        return int(self.listen.rpartition(":")[2])
