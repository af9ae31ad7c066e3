"""What the demo would leave on a Kafka that is not its own: topics."""

import asyncio

from aiokafka.admin import AIOKafkaAdminClient

from revocast.dev.broker import Broker
from revocast.dev.broker.external import ExternalBroker

__all__ = ["delete_topics"]


def delete_topics(broker: Broker, prefix: str) -> None:
    """Delete every topic under `prefix`, Faust's included. A broker of our own goes as a whole."""
    if isinstance(broker, ExternalBroker):
        asyncio.run(_delete(broker.bootstrap, prefix))


async def _delete(kafka: str, prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.delete_topics([name for name in await admin.list_topics() if name.startswith(prefix)])
    finally:
        await admin.close()
