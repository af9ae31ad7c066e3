"""From the database to Kafka: the one process at a time that publishes."""

from revocast.issuer.relay.relay import Relay
from revocast.issuer.relay.upkeep import UpkeepRules

__all__ = ["Relay", "UpkeepRules"]
