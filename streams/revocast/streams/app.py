"""Assembly of one worker: what it consists of, and what is told to whom."""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import faust
from aiokafka import AIOKafkaConsumer
from fastapi import FastAPI
from faust.auth import Credentials, SASLCredentials, SSLCredentials
from faust.types import TP

from revocast.schemas.signer import Signer
from revocast.schemas.signer_uri import signer_of
from revocast.schemas.topics import FRAME_PARTITIONS
from revocast.schemas.trust import Trust
from revocast.streams.chain_agent import ChainAgent
from revocast.streams.control import ControlReader
from revocast.streams.failure import Failure
from revocast.streams.http import Served, build_api
from revocast.streams.internal_topics import BUCKETS, InternalTopics
from revocast.streams.peers import Peers
from revocast.streams.reports import Reporter
from revocast.streams.settings import StreamsSettings
from revocast.streams.shard import is_newer
from revocast.streams.shard_agent import ShardAgent
from revocast.streams.snapshots.base import Bases
from revocast.streams.snapshots.cutter import Cutter
from revocast.streams.snapshots.gatherer import Gatherer
from revocast.streams.snapshots.topic import SnapshotTopic
from revocast.streams.table import BucketTable
from revocast.streams.view import View
from revocast.streams.watch import Watch

__all__ = ["Streams", "build"]

log = logging.getLogger(__name__)

Work = Callable[[faust.Stream[bytes]], Awaitable[None]]


@dataclass(frozen=True)
class Streams:
    """The parts of a worker that have to be run."""

    app: faust.App
    control_consumer: AIOKafkaConsumer
    control: ControlReader
    chain: ChainAgent
    shards: ShardAgent
    snapshots: SnapshotTopic
    cutter: Cutter
    gatherer: Gatherer
    peers: Peers
    api: FastAPI
    failure: Failure


def build(settings: StreamsSettings, clock: Callable[[], float] = time.time) -> Streams:
    """Build and wire a worker. It opens no connection; call it where the event loop runs. Raises `SignerError`."""
    options = settings.client_options()
    topics, internal = settings.topics, InternalTopics(settings.app_id)
    failure = Failure()

    app = _faust_app(settings, options)
    app.producer.buffer.max_messages = (
        10_000  # With 100, a batch of table writes halts all reading for 0.1 s.
    )
    raw = _topics(app)
    control_consumer = AIOKafkaConsumer(**options, enable_auto_commit=False, auto_offset_reset="earliest")
    control = ControlReader(control_consumer, topics, Trust(settings.issuer, settings.root), clock)
    reporter = Reporter(raw(topics.dead_letters), raw(topics.audit), f"{settings.issuer}#streams", clock)
    snapshots = SnapshotTopic(options, topics.snapshots, control.trust)
    log_partition, parts_partition = TP(topics.revocations, 0), TP(internal.parts, 0)
    chain = ChainAgent(
        control,
        reporter,
        Bases(snapshots, control),
        topics.revocations,
        raw(internal.frames),
        lambda: app.consumer.highwater(log_partition) or 0,
        lambda: shards.assigned and log_partition in app.consumer.assignment(),
        options,
    )
    table = BucketTable(
        app,
        name=BUCKETS,
        partitions=FRAME_PARTITIONS,
        is_newer=is_newer,
        options={
            "block_cache_size": 8 << 20,
            "write_buffer_size": 4 << 20,
        },  # Faust's 2 GiB is per partition.
    )
    app.tables.add(table)
    signer = _snapshot_signer(settings)
    cutter = Cutter(table, snapshots, raw(internal.parts), enabled=signer is not None)
    shards = ShardAgent(table, control, cutter, raw(internal.rewinds))
    gatherer = Gatherer(
        control,
        reporter,
        snapshots,
        internal.parts,
        signer,
        lambda: shards.assigned and parts_partition in app.consumer.assignment(),
        options,
    )
    watch = Watch(control, reporter)

    for topic, name, work in (
        (topics.revocations, "chain", chain.records),
        (internal.rewinds, "rewinds", chain.rewinds),
        (internal.frames, "frames", shards.frames),
        (internal.parts, "parts", gatherer.parts),
        (topics.keys, "keys", watch.records),
        (topics.checkpoints, "checkpoints", watch.records),
    ):
        app.agent(raw(topic), name=name)(_or_fail(work, failure))
    _on_rebalance(app, table, chain, shards, cutter)

    peers = Peers(app, internal.changelog, settings.url, settings.caller_context())
    view = View(control, shards, lambda: bool(app.rebalancing))
    api = build_api(Served(view, control, chain, snapshots.catalogue, gatherer, peers, settings.url, clock))
    return Streams(
        app, control_consumer, control, chain, shards, snapshots, cutter, gatherer, peers, api, failure
    )


def _snapshot_signer(settings: StreamsSettings) -> Signer | None:
    if settings.snapshot_key:
        return signer_of(settings.snapshot_key)[0]
    log.warning("REVOCAST_SNAPSHOT_KEY is not set: no snapshots are taken, so the log cannot be truncated")
    return None


def _faust_app(settings: StreamsSettings, options: Mapping[str, Any]) -> faust.App:
    settings.streams_datadir.mkdir(parents=True, exist_ok=True)
    return faust.App(
        settings.app_id,
        broker=[f"kafka://{server.strip()}" for server in settings.kafka.split(",")],
        broker_credentials=_credentials(options),
        store="rocksdb://",
        datadir=settings.streams_datadir,
        canonical_url=settings.url,
        web_enabled=False,
        # exactly_once lost changelog records after a SIGKILL; every step here is safe to repeat.
        processing_guarantee="at_least_once",
        broker_session_timeout=settings.streams_session_seconds,
        broker_heartbeat_interval=settings.streams_session_seconds / 6,
        table_standby_replicas=0,
        # For each agent. Anybody can write records of a megabyte, so a buffer of them must stay small.
        stream_buffer_maxsize=500,
        # How soon a topic that was deleted and created again gets an owner.
        consumer_metadata_max_age_ms=10_000,
        # All topics exist before Faust starts, with the settings that they need.
        topic_allow_declare=False,
        topic_disable_leader=True,
    )


def _credentials(options: Mapping[str, Any]) -> Credentials | None:
    """Faust's form of what aiokafka's clients take."""
    context = options.get("ssl_context")
    if context is None:
        return None
    if "sasl_mechanism" not in options:
        return SSLCredentials(context)
    return SASLCredentials(
        username=options["sasl_plain_username"],
        password=options["sasl_plain_password"],
        mechanism=options["sasl_mechanism"],
        ssl_context=context,
    )


def _topics(app: faust.App) -> Callable[[str], faust.TopicT]:
    def raw(name: str) -> faust.TopicT:
        return app.topic(
            name,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
            allow_empty=True,  # A tombstone is a record to be judged, too.
        )

    return raw


def _or_fail(work: Work, failure: Failure) -> Callable[[faust.StreamT[bytes]], Awaitable[None]]:
    async def agent(stream: faust.StreamT[bytes]) -> None:
        # Faust would start the agent again and leave behind, unacknowledged for ever, what it held.
        try:
            await work(cast(faust.Stream[bytes], stream))
        except Exception as error:
            failure.set(error)
            raise

    return agent


def _on_rebalance(
    app: faust.App, table: BucketTable, chain: ChainAgent, shards: ShardAgent, cutter: Cutter
) -> None:
    def held() -> set[int]:
        changelog = table.changelog_topic_name
        return {tp.partition for tp in app.assignor.assigned_actives() if tp.topic == changelog}

    @app.on_partitions_revoked.connect
    async def _revoked(*_: Any, **__: Any) -> None:
        chain.forget()
        shards.forget()

    @app.on_partitions_assigned.connect
    async def _assigned(*_: Any, **__: Any) -> None:
        cutter.keep(held())

    @table.on_recover
    async def _recovered() -> None:
        shards.recovered(held())
