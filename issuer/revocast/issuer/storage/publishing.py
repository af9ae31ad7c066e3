"""What the relay reads and notes: what waits for Kafka, the signed bytes, and what Kafka acknowledged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from revocast.issuer.authority.lifecycle import KeyState
from revocast.issuer.errors import NotInitialized
from revocast.issuer.keystore import KeyStore
from revocast.issuer.storage.log import head_of, published_place
from revocast.issuer.storage.signing_keys import event_key, token_keys
from revocast.issuer.storage.tables import KeyDocument, LogRecord, SigningKey
from revocast.schemas.events import Envelope, assemble
from revocast.schemas.keyset import KeySet
from revocast.schemas.signer import Signer

__all__ = [
    "Stored",
    "compacts_before",
    "event_signer",
    "has_records_after",
    "is_enforced",
    "mark_documents",
    "mark_published",
    "sign_records",
    "stored_compacts",
    "stored_hashes",
]


@dataclass(frozen=True, slots=True)
class Stored:
    """One signed record of the log."""

    n: int
    hash: bytes
    compact: bytes


def _records_after(session: Session, epoch: int, n: int, limit: int) -> list[LogRecord]:
    """The next records to publish, locked: two relays, of which one does not know yet that it lost, sign once."""
    query = select(LogRecord).where(LogRecord.epoch == epoch, LogRecord.n > n)
    return list(session.scalars(query.order_by(LogRecord.n).limit(limit).with_for_update()))


def has_records_after(session: Session, epoch: int, n: int) -> bool:
    """Whether there is a next record."""
    return session.get(LogRecord, (epoch, n + 1)) is not None


def sign_records(session: Session, epoch: int, n: int, limit: int, keystore: KeyStore) -> list[Stored]:
    """The next records, each with the bytes that are ever published for it: signed now, or by an earlier relay."""
    signed = []
    for record in _records_after(session, epoch, n, limit):
        if record.compact is None:
            signature = _signer(session, record.kid, keystore).sign(record.signing_input)
            record.compact = assemble(record.signing_input, signature)
        signed.append(Stored(record.n, record.hash, record.compact))
    return signed


def event_signer(session: Session, keystore: KeyStore) -> Signer:
    """The signer of checkpoints."""
    key = event_key(session)
    return keystore.signer(key.kid, key.handle)


def stored_compacts(session: Session, epoch: int, numbers: Sequence[int]) -> Mapping[int, Stored]:
    """The signed bytes of these records, as far as they exist."""
    query = select(LogRecord).where(
        LogRecord.epoch == epoch, LogRecord.n.in_(numbers), LogRecord.compact.is_not(None)
    )
    return {row.n: Stored(row.n, row.hash, row.compact or b"") for row in session.scalars(query)}


def compacts_before(session: Session, epoch: int, numbers: Sequence[int]) -> set[bytes]:
    """The signed bytes of the records of older epochs that have these numbers."""
    query = select(LogRecord.compact).where(
        LogRecord.epoch.in_(range(1, epoch)), LogRecord.n.in_(numbers), LogRecord.compact.is_not(None)
    )
    return {compact for compact in session.scalars(query) if compact is not None}


def stored_hashes(session: Session, places: Sequence[tuple[int, int]]) -> Mapping[tuple[int, int], bytes]:
    """By (epoch, n), the hash of the record that this database has there."""
    found = {}
    for epoch, n in places:
        record = session.get(LogRecord, (epoch, n))
        if record is not None:
            found[epoch, n] = record.hash
    return found


def mark_published(session: Session, epoch: int, n: int, next_offset: int, first_offset: int | None) -> None:
    """Note that Kafka has the log up to this record, where it ends there, and where its first record lies."""
    place = published_place(session)
    place.epoch, place.n, place.next_offset, place.first_offset = epoch, n, next_offset, first_offset


def is_enforced(session: Session, epoch: int, n: int) -> bool:
    """Whether readers enforce the log up to this record: Kafka has it, and the whole live set of its epoch or a newer one."""
    head, place = head_of(session), published_place(session)
    if place.epoch != head.epoch or head.live_set_n is None or place.n < head.live_set_n:
        return False
    return (epoch, n) <= (place.epoch, place.n)


def mark_documents(session: Session, jtis: Sequence[str], now: int) -> None:
    """Note that Kafka has these documents. A key is announced from then on: before, no service could know it."""
    for document in session.scalars(select(KeyDocument).where(KeyDocument.jti.in_(jtis))):
        document.published_at = document.published_at or now
        if document.type == KeySet.TYPE:
            key_set = KeySet.from_event(Envelope.parse(document.compact).event())
            listed = [entry.public.kid for issuer in key_set.issuers for entry in issuer.keys]
            fresh = [key.kid for key in token_keys(session, KeyState.ANNOUNCED) if key.announced_at is None]
            announced = set(listed) & set(fresh)
            session.execute(update(SigningKey).where(SigningKey.kid.in_(announced)).values(announced_at=now))


def _signer(session: Session, kid: str, keystore: KeyStore) -> Signer:
    key = session.get(SigningKey, kid)
    if key is None:
        raise NotInitialized("the event-signing key of an unsigned record is not in the database")
    return keystore.signer(key.kid, key.handle)
