"""The tables, as typed mappings. Times are whole seconds since 1970 unless a name says otherwise."""

from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, Index, Integer, LargeBinary, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = [
    "AuditOutbox",
    "Base",
    "ClientTable",
    "Deployment",
    "ForeignRecord",
    "Head",
    "KeyDocument",
    "LiveRow",
    "LogRecord",
    "Publication",
    "ResourceServerTable",
    "SigningKey",
    "SnapshotTable",
    "Snapshotting",
]


class Base(DeclarativeBase):
    """Constraint names are fixed, so that a migration can name them on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        int: BigInteger,
        str: Text,
        bytes: LargeBinary,
        dict[str, Any]: JSON,
        list[Any]: JSON,
    }


class Deployment(Base):
    """What `init` fixed, and the root's decisions about the whole: one row."""

    __tablename__ = "deployment"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    issuer: Mapped[str]
    root: Mapped[str]
    salt: Mapped[bytes]
    leeway: Mapped[int]
    claims: Mapped[list[Any]]
    lifetimes: Mapped[list[Any]]
    announce_seconds: Mapped[int]
    token_lifetime: Mapped[int]
    distrusted: Mapped[bool]


class Head(Base):
    """The newest record, one row: locking it is what orders the log.

    `live_set_n` is the record that closed the epoch's live set; null while it is re-issued. `reissued` is then the key of
    the last row that was.
    """

    __tablename__ = "head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    epoch: Mapped[int]
    n: Mapped[int]
    hash: Mapped[bytes]
    t: Mapped[int]
    delegations: Mapped[int]
    key_set: Mapped[int]
    live_set_n: Mapped[int | None]
    reissued: Mapped[bytes | None]


class Publication(Base):
    """How far Kafka acknowledged the log, one row. `next_offset` follows the newest record's place on the topic.

    `first_offset` is where the oldest record of the epoch lies that the log must hold: a topic that begins later has lost it.
    None: not looked for yet.

    Apart from `Head`, so that the relay's notes never wait for a writer.
    """

    __tablename__ = "publication"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    epoch: Mapped[int]
    n: Mapped[int]
    next_offset: Mapped[int]
    first_offset: Mapped[int | None]


class LogRecord(Base):
    """One record: what is to be signed and, once signed, the bytes that are ever published.

    `parts`: [rows, actor, reason] of each request whose rows it has, in their order; null: one actor and reason for all.
    """

    __tablename__ = "log"
    __table_args__ = (Index("ix_log_kid", "kid", "epoch", "n"),)

    epoch: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    t: Mapped[int]
    prev: Mapped[bytes]
    hash: Mapped[bytes]
    rows: Mapped[bytes]
    kid: Mapped[str] = mapped_column(String(64))
    signing_input: Mapped[bytes]
    compact: Mapped[bytes | None]
    actor: Mapped[str]
    reason: Mapped[str]
    parts: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))


class ForeignRecord(Base):
    """A signed record of the topic that this log has otherwise, and whose revocations `recover` joined into the table."""

    __tablename__ = "foreign_record"

    hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    epoch: Mapped[int]
    n: Mapped[int]


class SnapshotTable(Base):
    """One cut. `state` is a `SnapshotState`; `rows`, `decided_at` and `problem` come with the comparison."""

    __tablename__ = "snapshot"

    epoch: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    t: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))
    rows: Mapped[int | None]
    decided_at: Mapped[int | None]
    problem: Mapped[str | None]


class Snapshotting(Base):
    """One row. The oldest record that the log must still hold: (0, 1) while nothing was truncated. `asked`: somebody wants a
    cut now.

    The place is written before the first record goes from Kafka, and from the database after that: whoever is interrupted
    knows what may be missing, and goes on.
    """

    __tablename__ = "snapshotting"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    oldest_epoch: Mapped[int]
    oldest_n: Mapped[int]
    asked: Mapped[bool]


class LiveRow(Base):
    """One row of the table after the newest record, beside the selector in the clear.

    `epoch` and `n` name the record that wrote it first: re-issuing a row changes nothing here.
    """

    __tablename__ = "live_row"
    __table_args__ = (Index("ix_live_row_epoch", "epoch", "n"),)

    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(11), primary_key=True)
    kind: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    slot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    cutoff: Mapped[int]
    expires_at: Mapped[int] = mapped_column(index=True)
    selector_issuer: Mapped[str]
    selector_kind: Mapped[str]
    value_1: Mapped[str | None]
    value_2: Mapped[str | None]
    epoch: Mapped[int]
    n: Mapped[int]
    t: Mapped[int]
    actor: Mapped[str]
    reason: Mapped[str]


class KeyDocument(Base):
    """A signed key set or delegation list, as published on the keys topic."""

    __tablename__ = "key_document"

    jti: Mapped[str] = mapped_column(String(64), primary_key=True)
    type: Mapped[str] = mapped_column(String(64))
    delegations: Mapped[int]
    version: Mapped[int]
    compact: Mapped[bytes]
    published_at: Mapped[int | None]


class SigningKey(Base):
    """A private key of ours behind the key store's handle. `state` is a `KeyState` of a token key, an `EventKeyState` of an
    event key."""

    __tablename__ = "signing_key"

    kid: Mapped[str] = mapped_column(String(64), primary_key=True)
    role: Mapped[str] = mapped_column(String(16))
    alg: Mapped[str] = mapped_column(String(16))
    jwk: Mapped[dict[str, Any]]
    handle: Mapped[bytes]
    state: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[int]
    announce_seconds: Mapped[int]
    announced_at: Mapped[int | None]
    activated_at: Mapped[int | None]
    retiring_at: Mapped[int | None]
    retired_at: Mapped[int | None]
    revoked_at: Mapped[int | None]


class ResourceServerTable(Base):
    """A service that takes our tokens."""

    __tablename__ = "resource_server"

    audience: Mapped[str] = mapped_column(String(255), primary_key=True)
    name: Mapped[str]
    scopes: Mapped[list[Any]]
    created_at: Mapped[int]


class ClientTable(Base):
    """An OAuth client. Its row is locked by what ends the client, and shared by minting."""

    __tablename__ = "client"

    client_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    name: Mapped[str]
    secret_hash: Mapped[str]
    access: Mapped[dict[str, Any]]
    introspects: Mapped[list[Any]]
    created_at: Mapped[int]
    disabled: Mapped[bool]


class AuditOutbox(Base):
    """An audit event that Kafka has not acknowledged yet, in the order of writing."""

    __tablename__ = "audit_outbox"

    seq: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    event_id: Mapped[str] = mapped_column(String(64))
    event: Mapped[bytes]
