"""From the database to Kafka: the one process at a time that publishes."""

from revocast.issuer.relay.relay import Relay

__all__ = ["Relay"]
