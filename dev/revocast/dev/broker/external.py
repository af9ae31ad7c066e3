"""A Kafka that somebody else runs (`REVOCAST_KAFKA`): used, never touched."""

from revocast.dev.broker.errors import BrokerError


class ExternalBroker:
    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.nodes = len(bootstrap.split(","))

    def _refuse(self, node: int = 0) -> None:
        raise BrokerError(
            f"{self.bootstrap} is not ours to kill or stop. Unset REVOCAST_KAFKA, or ask for running_broker(own=True)."
        )

    kill = stop = start = pause = resume = _refuse

    def close(self) -> None:
        """Leave it as it is."""
