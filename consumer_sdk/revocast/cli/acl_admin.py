"""Kafka's ACLs through librdkafka: aiokafka's admin client knows none."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from revocast.cli.acl import Grant, Resource
from revocast.cli.errors import CliError, Denied, Misused, Unreachable
from revocast.schemas.settings import KafkaSettings

if TYPE_CHECKING:
    from confluent_kafka import KafkaError

__all__ = ["AclAdmin", "client_config"]

_TIMEOUT_S: Final = 10.0
_KINDS: Final[Mapping[str, Resource]] = {"TOPIC": "topic", "GROUP": "group", "BROKER": "cluster"}


class AclAdmin:
    """One cluster's ACLs. Raises `Misused` without the extra `acl`, and where the broker has no authorizer."""

    def __init__(self, kafka: KafkaSettings) -> None:
        try:
            import confluent_kafka
            from confluent_kafka import admin
        except ModuleNotFoundError:
            raise Misused(
                "changing ACLs needs one more package", 'Run: pip install "revocast[acl]", or use --print.'
            ) from None
        self._kafka = kafka
        self._library = admin
        self._failed = confluent_kafka.KafkaException
        self._client = admin.AdminClient(client_config(kafka))

    def existing(self) -> set[Grant]:
        """Every ACL of the cluster that is about topics, groups or the cluster itself."""
        return {grant for kind in _KINDS for grant in self._existing(kind)}

    def _existing(self, kind: str) -> Iterator[Grant]:
        library = self._library
        anything = library.AclBindingFilter(
            library.ResourceType[kind],
            None,
            library.ResourcePatternType.ANY,
            None,
            None,
            library.AclOperation.ANY,
            library.AclPermissionType.ANY,
        )
        try:
            found = self._client.describe_acls(anything, request_timeout=_TIMEOUT_S).result()
        except self._failed as error:
            raise self._explained(error.args[0]) from None
        for binding in found:
            yield Grant(
                binding.principal,
                _KINDS[kind],
                binding.name,
                binding.resource_pattern_type.name == "PREFIXED",
                binding.operation.name,
                binding.host,
                binding.permission_type.name == "ALLOW",
            )

    def create(self, grants: Iterable[Grant]) -> None:
        """Add them."""
        bindings = [self._binding(grant) for grant in grants]
        if not bindings:
            return
        for answer in self._client.create_acls(bindings, request_timeout=_TIMEOUT_S).values():
            try:
                answer.result()
            except self._failed as error:
                raise self._explained(error.args[0]) from None

    def _binding(self, grant: Grant) -> Any:
        library = self._library
        kind = next(name for name, ours in _KINDS.items() if ours == grant.resource)
        return library.AclBinding(
            library.ResourceType[kind],
            grant.name,
            library.ResourcePatternType.PREFIXED if grant.prefixed else library.ResourcePatternType.LITERAL,
            grant.principal,
            grant.host,
            library.AclOperation[grant.operation],
            library.AclPermissionType.ALLOW,
        )

    def _explained(self, error: "KafkaError") -> CliError:
        where = f"Kafka at {self._kafka.kafka}"
        if error.name() == "SECURITY_DISABLED":
            return Misused(
                f"{where} has no authorizer: everybody may do everything",
                "Set authorizer.class.name and allow.everyone.if.no.acl.found=false, as deploy/kafka/hardened.properties does.",
            )
        if error.name() == "CLUSTER_AUTHORIZATION_FAILED":
            return Denied(
                f"{where} does not let this principal see or change ACLs",
                "Only the broker's admin may grant; --check also works for an operator.",
            )
        return Unreachable(f"{where} does not answer: {error.str()}")


def client_config(kafka: KafkaSettings) -> dict[str, str | int | float]:
    """librdkafka's names for our settings. It checks the broker's host name by default."""
    secret = kafka.kafka_key_password, kafka.kafka_password
    key_password, password = (one.get_secret_value() if one else None for one in secret)
    options = {
        "bootstrap.servers": kafka.kafka,
        "security.protocol": kafka.kafka_security,
        "ssl.ca.location": kafka.kafka_ca,
        "ssl.certificate.location": kafka.kafka_certificate,
        "ssl.key.location": kafka.kafka_key,
        "ssl.key.password": key_password,
        "sasl.mechanism": kafka.kafka_mechanism if password else None,
        "sasl.username": kafka.kafka_username,
        "sasl.password": password,
        "log_level": 0,  # What goes wrong comes back as an error, which we put in words.
    }
    return {
        name: value if isinstance(value, int) else str(value)
        for name, value in options.items()
        if value is not None
    }
