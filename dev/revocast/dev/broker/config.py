"""The node's Kafka configuration: combined broker and controller, small, and quick to notice that a node died."""

from collections.abc import Mapping, Sequence

Properties = Mapping[str, str]


def node_properties(
    node: int,
    *,
    client_listener: str,
    advertised: str,
    controllers: Sequence[str],
    controller_listener: str,
    broker_listener: str | None = None,
    data: str,
) -> Properties:
    """Properties of node number `node` (from 0) of a cluster with `controllers` (`host:port`, in node order).

    `client_listener` and `controller_listener` are what it binds; `advertised` is what clients are told.
    `broker_listener` (`host:port`) is for brokers that cannot reach each other by the client's address.
    """
    nodes = len(controllers)
    replicas, in_sync = str(nodes), str(min(2, nodes))
    listeners = {"CLIENT": client_listener, "CONTROLLER": controller_listener}
    told = {"CLIENT": advertised}
    if broker_listener is not None:
        listeners["BROKER"] = told["BROKER"] = broker_listener
    return {
        "process.roles": "broker,controller",
        "node.id": str(node + 1),
        "controller.quorum.voters": ",".join(f"{i + 1}@{c}" for i, c in enumerate(controllers)),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "BROKER" if broker_listener else "CLIENT",
        "listeners": ",".join(f"{name}://{where}" for name, where in listeners.items()),
        "advertised.listeners": ",".join(f"{name}://{where}" for name, where in told.items()),
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in listeners),
        "log.dirs": data,
        # A topic that nobody declared is a mistake, and it would have the wrong retention.
        "auto.create.topics.enable": "false",
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": replicas,
        "offsets.topic.num.partitions": "3",
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "transaction.state.log.num.partitions": "3",
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
        "share.coordinator.state.topic.num.partitions": "3",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        # A killed node may come back only when its old session has run out: 9 s by default.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        # The cleaner takes 128 MB otherwise.
        "log.cleaner.dedupe.buffer.size": "10485760",
        "log.cleaner.backoff.ms": "1000",
    }
