"""The checkpoint: proof that a reader is current, and nothing else.

Signed every two seconds and after bursts, for an n that Kafka has acknowledged.
"""

from typing import ClassVar

from pydantic import Field

from revocast.schemas.events import Digest, EventBody

__all__ = ["Checkpoint"]


class Checkpoint(EventBody):
    """Where the log stood at `t`: epoch, n, the hash of record n, and the newest versions of both key documents."""

    TYPE: ClassVar[str] = "urn:revocast:event:checkpoint:1"
    TOPIC: ClassVar[str] = "checkpoints"

    epoch: int = Field(ge=1)
    n: int = Field(ge=1)
    hash: Digest
    delegations: int = Field(ge=1)
    key_set: int = Field(ge=1)

    @property
    def jti(self) -> str:
        """`checkpoint/<epoch>/<n>/<t>`."""
        return f"checkpoint/{self.epoch}/{self.n}/{self.t}"

    @property
    def key(self) -> bytes:
        """The Kafka key: one for all, so that compaction keeps the newest."""
        return b"checkpoint"

    @property
    def order(self) -> tuple[int, int, int]:
        """What makes one newer than another."""
        return (self.epoch, self.n, self.t)
