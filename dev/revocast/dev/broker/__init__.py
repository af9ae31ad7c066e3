"""One Kafka for the demo, the tests and the benchmarks.

    with running_broker() as broker:
        ...  # broker.bootstrap; broker.kill(), broker.start()

`python -m revocast.dev.broker` runs one until Ctrl-C. `hardened_broker()` lets nobody in without a name.
"""

from revocast.dev.broker.errors import BrokerError
from revocast.dev.broker.interface import Broker
from revocast.dev.broker.jvm import JvmBroker
from revocast.dev.broker.launcher import hardened_broker, running_broker

__all__ = ["Broker", "BrokerError", "JvmBroker", "hardened_broker", "running_broker"]
