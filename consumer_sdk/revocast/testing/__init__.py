"""Test a service, or a whole history of revocations, without Kafka: real signed bytes in memory."""

from revocast.testing.authority import Authority
from revocast.testing.delivery import Delivery, core_for
from revocast.testing.guard import InMemoryGuard
from revocast.testing.memory_log import InMemoryLog, Message
from revocast.testing.memory_snapshots import InMemorySnapshots

__all__ = [
    "Authority",
    "Delivery",
    "InMemoryGuard",
    "InMemoryLog",
    "InMemorySnapshots",
    "Message",
    "core_for",
]
