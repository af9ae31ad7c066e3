"""A guard's settings, from arguments or from the environment (`REVOCAST_…`)."""

import hashlib
import os
from pathlib import Path
from typing import Annotated, Literal, TypedDict

from pydantic import Field, SecretStr

from revocast.schemas.https import HttpsCallerSettings
from revocast.schemas.settings import KafkaSettings
from revocast.sdk.freshness import Limits
from revocast.sdk.policy import Policy

__all__ = ["GuardSettings", "Mode", "Transport"]

Mode = Literal["enforce", "shadow"]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _default_state_dir() -> Path:
    # Where state that should survive a restart belongs, by the XDG Base Directory specification.
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "revocast"


class Transport(TypedDict, total=False):
    """How connections are protected, as `KafkaSettings` and `HttpsCallerSettings` say it."""

    kafka_security: Literal["plaintext", "ssl", "sasl_ssl"]
    kafka_ca: Path | str
    kafka_certificate: Path | str
    kafka_key: Path | str
    kafka_key_password: SecretStr | str
    kafka_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]
    kafka_username: str
    kafka_password: SecretStr | str
    tls_ca: Path | str


class GuardSettings(KafkaSettings, HttpsCallerSettings):
    """Times are seconds. `root` is the root's RFC 7638 thumbprint; without it the root is pinned on first use."""

    issuer: str = Field(min_length=1, description="the issuer's URL, as tokens name it in iss")
    audience: str = Field(min_length=1, description="this service, as tokens name it in aud")
    root: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")] | None = Field(
        None, description="RFC 7638 thumbprint of the root; if left out, the first one seen is pinned"
    )
    policy: Policy = Field(
        "deny",
        description="while stale or incomplete: deny every token, or allow those that nothing known refuses",
    )
    mode: Mode = Field("enforce", description="enforce, or shadow: only say what would be refused")
    startup_timeout: Positive = Field(30.0, description="how long the start waits to be ready, seconds")
    link_age: Positive = Field(60.0, description="stale when Kafka was not heard for so long, seconds")
    authority_age: Positive = Field(
        3600.0, description="stale when the issuer's newest checkpoint is so old, seconds"
    )
    cache_size: Annotated[int, Field(ge=0, description="verified tokens that are remembered")] = 8192
    state_dir: Path = Field(
        default_factory=_default_state_dir,
        description="folder that remembers the pinned root; default: `$XDG_STATE_HOME`/revocast or `~/.local/state/revocast`",
    )

    @property
    def limits(self) -> Limits:
        """The ages at which the policy acts."""
        return Limits(link_age=self.link_age, authority_age=self.authority_age)

    @property
    def memory_path(self) -> Path:
        """Where the pinned root and the newest versions seen are remembered: a file for each deployment."""
        name = hashlib.sha256(f"{self.issuer}\n{self.prefix}".encode()).hexdigest()[:16]
        return self.state_dir / f"guard-{name}.json"
