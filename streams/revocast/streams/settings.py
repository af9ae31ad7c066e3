"""Settings of one streams worker, from the environment."""

from pathlib import Path

from platformdirs import user_data_path
from pydantic import Field

from revocast.schemas.https import HttpsCallerSettings, HttpsServerSettings
from revocast.schemas.settings import KafkaSettings, LogSettings

__all__ = ["StreamsSettings"]


class StreamsSettings(KafkaSettings, HttpsServerSettings, HttpsCallerSettings, LogSettings):
    """Field `streams_listen` is `REVOCAST_STREAMS_LISTEN`, and so on. Each worker needs a `streams_datadir` of its own."""

    issuer: str = Field(min_length=1, description="issuer URL of the deployment")
    root: str = Field(min_length=43, max_length=43, description="RFC 7638 thumbprint of the root")
    streams_listen: str = Field(
        default="127.0.0.1:8082", pattern=r"^[^\s:]+:\d{1,5}$", description="host:port of the HTTP API"
    )
    streams_url: str = Field(
        default="", description="where other workers reach this one; default: where it listens"
    )
    streams_datadir: Path = Field(
        default_factory=lambda: user_data_path("revocast") / "streams",
        description="this worker's own folder; lost, it is filled again from Kafka",
    )
    snapshot_key: str = Field(
        default="",
        description="URI of the key that signs snapshots: a PEM file, or a scheme that an installed signer offers; default: no snapshots",
    )
    streams_app_id: str = Field(
        default="", description="workers with one id share the work; default: `<prefix>-streams`"
    )
    streams_session_seconds: float = Field(
        default=6, ge=1, description="a worker that is silent for so long is dead, and others take over"
    )
    streams_stop_seconds: float = Field(
        default=10, gt=0, description="after this a stopping worker is ended hard"
    )

    @property
    def host(self) -> str:
        """The address to listen on."""
        return self.streams_listen.rsplit(":", 1)[0]

    @property
    def port(self) -> int:
        """The port to listen on."""
        return int(self.streams_listen.rsplit(":", 1)[1])

    @property
    def url(self) -> str:
        """Where other workers reach this one."""
        return (self.streams_url or f"{self.scheme}://{self.streams_listen}").rstrip("/")

    @property
    def app_id(self) -> str:
        """Names the consumer group and begins the name of every internal topic."""
        return self.streams_app_id or f"{self.prefix}-streams"
