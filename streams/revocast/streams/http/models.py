"""What the HTTP API answers."""

from pydantic import BaseModel, ConfigDict, Field

from revocast.schemas.checkpoint import Checkpoint
from revocast.streams.frames import Mark
from revocast.streams.snapshots.catalogue import Snapshot
from revocast.streams.snapshots.gatherer import AbandonedCut

__all__ = [
    "AbandonedCutView",
    "Counts",
    "Health",
    "Keys",
    "KeysOfIssuer",
    "Lookup",
    "Place",
    "PublicKeyState",
    "RowView",
    "ShardStatus",
    "SnapshotView",
    "Snapshots",
    "Status",
]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Place(_Answer):
    """A place in the log; the answer beside it is the state after record `n`."""

    epoch: int
    n: int
    t: int = Field(description="seconds since 1970")
    hash: str = Field(description="SHA-256 of record n's signing input, hex")

    @classmethod
    def of(cls, mark: Mark | Checkpoint) -> "Place":
        """The mark or checkpoint as it is shown."""
        return cls(epoch=mark.epoch, n=mark.n, t=mark.t, hash=mark.hash.hex())


class RowView(_Answer):
    """One live row."""

    kind: str
    slot: str
    cutoff: int | None = None
    expires_at: int | None = Field(description="null: never")


class Lookup(_Answer):
    """Everything that is revoked under a fingerprint."""

    fingerprint: str
    partition: int
    at: Place
    rows: list[RowView]


class Counts(_Answer):
    """Live rows by kind; `at` is the place of the slowest partition that was counted."""

    at: Place
    partitions: list[int]
    by_kind: dict[str, int]


class PublicKeyState(_Answer):
    """One token-signing key."""

    kid: str
    alg: str
    state: str


class KeysOfIssuer(_Answer):
    """The keys of one token issuer; `max_lifetime` in seconds, as of now."""

    issuer: str
    max_lifetime: int | None
    keys: list[PublicKeyState]


class Keys(_Answer):
    """The newest key set."""

    delegations: int
    version: int
    leeway: int
    claims: list[str]
    issuers: list[KeysOfIssuer]


class ShardStatus(_Answer):
    """One partition of the table on this worker; `lag` in records."""

    at: Place | None
    lag: int | None


class SnapshotView(_Answer):
    """One snapshot on the topic; `age` in seconds since its cut."""

    epoch: int
    n: int
    rows: int
    chunks: int
    countersigned: bool = Field(
        description="whether the issuer derived the same bytes; nobody uses one without"
    )
    age: float

    @classmethod
    def of(cls, snapshot: Snapshot, now: float) -> "SnapshotView":
        """A manifest that is believed, as it is shown at `now`."""
        manifest = snapshot.manifest
        return cls(
            epoch=manifest.epoch,
            n=manifest.n,
            rows=manifest.rows,
            chunks=len(manifest.chunks),
            countersigned=snapshot.countersigned,
            age=max(0.0, now - manifest.t),
        )


class AbandonedCutView(_Answer):
    """A cut that became no snapshot."""

    epoch: int
    n: int
    reason: str

    @classmethod
    def of(cls, cut: AbandonedCut) -> "AbandonedCutView":
        """The cut as it is shown."""
        return cls(**cut._asdict())


class Snapshots(_Answer):
    """Snapshots on the topic, and what this worker did with cuts."""

    taken: bool = Field(description="whether this worker has a snapshot key")
    newest: SnapshotView | None
    newest_countersigned: SnapshotView | None
    abandoned: list[AbandonedCutView] = Field(
        description="the last ten, where this worker writes the manifests; others: none"
    )


class Status(_Answer):
    """This worker, and who holds what. Ages in seconds."""

    ready: bool
    reasons: list[str]
    url: str
    at: Place | None = Field(description="the slowest partition of this worker")
    lag: int | None
    checkpoint: Place | None
    link_age: float | None
    authority_age: float | None
    key_set: tuple[int, int] = Field(description="(delegations, key-set version)")
    partitions: dict[int, ShardStatus]
    owners: dict[int, str]
    chain: Place | None = Field(description="the chain agent's place; null: another worker runs it")
    flaws: list[str]
    snapshots: Snapshots
    outcomes: dict[str, dict[str, int]] = Field(
        description="records by topic and outcome, since this worker started"
    )
    warnings: list[str] = Field(description="what needs somebody's attention though look-ups are answered")


class Health(_Answer):
    """Whether the worker works, and why not."""

    ok: bool
    reasons: list[str] = []
