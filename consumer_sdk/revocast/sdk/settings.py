"""A guard's settings, from arguments or from the environment (`REVOCAST_…`)."""

import hashlib
import os
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self, TypedDict

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from revocast.schemas.errors import SettingsError
from revocast.schemas.https import HttpsCallerSettings
from revocast.schemas.settings import KafkaSettings
from revocast.schemas.tls import client_context
from revocast.sdk.freshness import Limits
from revocast.sdk.jwks.urls import read_jwks
from revocast.sdk.loopback import is_loopback
from revocast.sdk.policy import Policy
from revocast.sdk.profile import Profile
from revocast.sdk.signatures import Signatures

__all__ = ["GuardSettings", "Mode", "MoreOptions"]

Mode = Literal["enforce", "shadow"]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _default_state_dir() -> Path:
    # Where state that should survive a restart belongs, by the XDG Base Directory specification.
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "revocast"


class MoreOptions(TypedDict, total=False):
    """What `Guard` takes besides: how connections are protected, how the issuer is asked about tokens, foreign issuers, and what checks signatures."""

    kafka_security: Literal["plaintext", "ssl", "sasl_ssl"]
    kafka_ca: Path | str
    kafka_certificate: Path | str
    kafka_key: Path | str
    kafka_key_password: SecretStr | str
    kafka_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]
    kafka_username: str
    kafka_password: SecretStr | str
    tls_ca: Path | str
    client_id: str
    client_secret: SecretStr | str
    introspection_endpoint: str
    introspection_timeout: float
    jwks: Mapping[str, str | Sequence[str]]
    jwks_timeout: float
    jwks_outage: float
    jwks_ca: Path | str
    signatures: Signatures


class GuardSettings(KafkaSettings, HttpsCallerSettings):
    """Times are seconds. `root` is the root's RFC 7638 thumbprint; without it the root is pinned on first use."""

    issuer: str = Field(min_length=1, description="the issuer's URL, as tokens name it in iss")
    audience: str = Field(min_length=1, description="this service, as tokens name it in aud")
    root: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")] | None = Field(
        None, description="RFC 7638 thumbprint of the root; if left out, the first one seen is pinned"
    )
    policy: Policy = Field(
        "deny",
        description="while not current: deny every token, allow those that nothing known refuses, or introspect: ask the issuer",
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
        description="folder that remembers the pinned root, and the deny-list for the next start; default: `$XDG_STATE_HOME`/revocast or `~/.local/state/revocast`",
    )

    signatures: Signatures = Field(
        "cryptography",
        description="what checks signatures: cryptography, or tink, which is faster (extra `tink`)",
    )

    client_id: str | None = Field(
        None, min_length=1, description="this service's client at the issuer, with which it introspects"
    )
    client_secret: SecretStr | None = Field(None, min_length=1, description="the client's secret")
    introspection_endpoint: str | None = Field(
        None, description="where to ask about tokens; default: what the issuer's metadata (RFC 8414) say"
    )
    introspection_timeout: Positive = Field(
        2.0, description="how long one try to ask about a token may take, seconds; there are two"
    )

    jwks: Annotated[Mapping[str, tuple[str, ...]], BeforeValidator(read_jwks)] = Field(
        default_factory=dict,
        description="foreign issuers whose tokens are accepted, and where their JWK Sets are: `iss=url,iss=url`, or a JSON object; "
        "several URLs of one issuer are tried in their order",
    )
    jwks_timeout: Positive = Field(5.0, description="how long one request for a JWK Set may take, seconds")
    jwks_outage: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        3600.0,
        description="how long a foreign issuer's keys are used after their JWK Set went out of date, seconds",
    )
    jwks_ca: Path | None = Field(
        None,
        description="PEM file of the authorities that may sign the certificates of JWKS URLs; default: as `REVOCAST_TLS_CA`",
    )

    @model_validator(mode="after")
    def _foreign_issuers_are_foreign(self) -> Self:
        if self.issuer in self.jwks:
            raise SettingsError(
                "REVOCAST_JWKS: the deployment's own issuer needs none, its keys are on the topic"
            )
        if self.jwks:
            self.jwks_context()
        return self

    def jwks_context(self) -> ssl.SSLContext:
        """The TLS context of requests for JWK Sets. Raises `SettingsError`."""
        return client_context(self.jwks_ca, "REVOCAST_JWKS_CA") if self.jwks_ca else self.caller_context()

    @model_validator(mode="after")
    def _policy_can_be_kept(self) -> Self:
        if self.policy == "introspect":
            self.check_introspection("REVOCAST_POLICY is introspect")
        return self

    def check_introspection(self, why: str) -> None:
        """Raise `SettingsError` unless the issuer can be asked about tokens."""
        for name in ("client_id", "client_secret"):
            if getattr(self, name) is None:
                raise SettingsError(f"REVOCAST_{name.upper()}: is missing; {why}")
        target = self.introspection_endpoint or self.issuer
        if not target.startswith("https://") and not (target.startswith("http://") and is_loopback(target)):
            name = "INTROSPECTION_ENDPOINT" if self.introspection_endpoint else "ISSUER"
            raise SettingsError(f"REVOCAST_{name}: must be an https URL; {why}")

    @property
    def profile(self) -> Profile:
        """What tokens must be."""
        return Profile(self.audience, frozenset({self.issuer, *self.jwks}))

    @property
    def limits(self) -> Limits:
        """The ages at which the policy acts."""
        return Limits(link_age=self.link_age, authority_age=self.authority_age)

    @property
    def memory_path(self) -> Path:
        """Where the pinned root and the newest versions seen are remembered: a file for each deployment."""
        return self._state_file("json")

    @property
    def base_path(self) -> Path:
        """Where the workers of this host share the deny-list's base."""
        return self._state_file("base")

    def _state_file(self, kind: str) -> Path:
        name = hashlib.sha256(f"{self.issuer}\n{self.prefix}".encode()).hexdigest()[:16]
        return self.state_dir / f"guard-{name}.{kind}"
