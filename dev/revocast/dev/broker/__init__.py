"""One Kafka for the demo, the tests and the benchmarks.

    with running_broker() as broker:
        ...  # broker.bootstrap; broker.kill(), broker.start()

`python -m revocast.dev.broker` runs one until Ctrl-C.
"""

from revocast.dev.broker.errors import BrokerError
from revocast.dev.broker.interface import Broker
from revocast.dev.broker.launcher import running_broker

__all__ = ["Broker", "BrokerError", "running_broker"]
