"""`revocast.keys`, compared with the documents in the database.

A newer document on the topic than in the database, validly signed, is the same disaster as a log that is ahead: what this
database would sign next, readers would take for a replay.
"""

import asyncio

from revocast.issuer.errors import LogMismatch
from revocast.issuer.relay.reading import PartitionReader
from revocast.issuer.storage import Storage
from revocast.issuer.storage.signing_keys import all_documents, newest_document
from revocast.schemas.delegations import DelegationList
from revocast.schemas.errors import SchemaError
from revocast.schemas.events import Envelope
from revocast.schemas.keyset import KeySet
from revocast.schemas.trust import Trust
from revocast.schemas.verdict import Outcome

__all__ = ["documents_missing_on"]


async def documents_missing_on(
    reader: PartitionReader, storage: Storage, issuer: str, root: str
) -> list[tuple[str, bytes]]:
    """Read the topic; the newest documents that it lacks, as (jti, bytes). Raises `LogMismatch`."""
    stored, newest = await asyncio.to_thread(_documents, storage)
    trust, known = Trust(issuer, root), set(stored.values())
    found, hashes = set[bytes](), dict[int, bytes]()
    first, end = await reader.bounds()
    reader.seek(first)
    while reader.next_offset < end:
        for record in await reader.read():
            if record.value in stored:
                found.add(record.value)
            hashes[record.offset] = _hash(record.value)
            for verdict in trust.receive(record.value, record.offset):
                accepted = verdict.outcome in (Outcome.APPLIED, Outcome.UPGRADE)
                if accepted and hashes[verdict.offset] not in known:
                    raise LogMismatch(
                        f"the keys topic is ahead of the database: a signed document at offset {verdict.offset} "
                        "is not in it; it was restored, or is not this topic's"
                    )
    return [(jti, compact) for jti, compact in newest if compact not in found]


def _documents(storage: Storage) -> tuple[dict[bytes, bytes], list[tuple[str, bytes]]]:
    with storage.read() as session:
        stored = {document.compact: _hash(document.compact) for document in all_documents(session)}
        newest = [newest_document(session, type) for type in (DelegationList.TYPE, KeySet.TYPE)]
        return stored, [(document.jti, document.compact) for document in newest]


def _hash(value: bytes | None) -> bytes:
    try:
        return Envelope.parse(value or b"").hash
    except SchemaError:
        return b""
