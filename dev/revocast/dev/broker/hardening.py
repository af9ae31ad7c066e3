"""The hardened profile: the properties that `deploy/kafka/` ships, and users and certificates for one run of it."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from revocast.dev.broker.certificates import LOOPBACK, Authority, Identity
from revocast.dev.broker.config import Properties
from revocast.schemas.settings import KafkaSettings

__all__ = ["ROLES", "Hardening"]

ROLES: Final = ("admin", "issuer", "streams", "service", "dashboard", "operator")
_SHIPPED: Final = Path(__file__).parents[4] / "deploy/kafka/hardened.properties"


class Hardening:
    """Everybody's credentials, in `folder`: who is who by password, and by certificate."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self._broker = self.authority.issue("broker", LOOPBACK)
        self._passwords = {role: secrets.token_urlsafe(18) for role in ROLES}
        self._certificates = {role: self.authority.issue(role) for role in ROLES}

    @property
    def format_arguments(self) -> list[str]:
        """What `kafka-storage format` makes the users by: they exist before the first client comes."""
        return [
            f"--add-scram=SCRAM-SHA-512=[name={role},password={password}]"
            for role, password in self._passwords.items()
        ]

    def properties(self, plain: Properties, mtls: str) -> Properties:
        """The shipped profile, small and on this node's addresses as `plain` has them; `mtls` is the other listener's."""
        client, controller = (
            dict(part.split("://") for part in plain["listeners"].split(","))[name]
            for name in ("CLIENT", "CONTROLLER")
        )
        told = f"CLIENT://{client},MTLS://{mtls}"
        return {
            **plain,
            **_shipped(),
            **{name: plain[name] for name in ("node.id", "controller.quorum.voters", "log.dirs")},
            "listeners": f"{told},CONTROLLER://{controller}",
            "advertised.listeners": told,
            "ssl.keystore.location": str(self._broker.both),
            "ssl.truststore.location": str(self.authority.ca),
        }

    def password(self, role: str) -> str:
        """The role's SCRAM password."""
        return self._passwords[role]

    def certificate(self, role: str) -> Identity:
        """The role's client certificate."""
        return self._certificates[role]

    def by_password(self, role: str, bootstrap: str) -> dict[str, str]:
        """The environment of a client that logs in."""
        return {
            "REVOCAST_KAFKA": bootstrap,
            "REVOCAST_KAFKA_SECURITY": "sasl_ssl",
            "REVOCAST_KAFKA_CA": str(self.authority.ca),
            "REVOCAST_KAFKA_USERNAME": role,
            "REVOCAST_KAFKA_PASSWORD": self._passwords[role],
        }

    def by_certificate(self, role: str, bootstrap: str) -> dict[str, str]:
        """The environment of a client that shows a certificate."""
        identity = self._certificates[role]
        return {
            "REVOCAST_KAFKA": bootstrap,
            "REVOCAST_KAFKA_SECURITY": "ssl",
            "REVOCAST_KAFKA_CA": str(self.authority.ca),
            "REVOCAST_KAFKA_CERTIFICATE": str(identity.certificate),
            "REVOCAST_KAFKA_KEY": str(identity.key),
        }

    def settings(self, role: str, bootstrap: str) -> KafkaSettings:
        """Settings of a client that logs in."""
        return KafkaSettings.from_env(self.by_password(role, bootstrap))


def _shipped() -> Mapping[str, str]:
    lines = _SHIPPED.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
