"""`revocast.keys`, compared with the documents in the database.

* A root outranks the database: a delegation list that it signed, that the topic holds and the database does not, is to be
  adopted (`newer_lists`). Break-glass was published while the issuer was down, or somebody brought a list to the topic.
* A newer key set than the database's, signed by a key that signs now, is the same disaster as a log that is ahead: what this
  database would sign next, readers would take for a replay (`LogMismatch`). What a compromised key signed is none.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from revocast.issuer.errors import LogLost, LogMismatch
from revocast.issuer.relay.reading import PartitionReader
from revocast.issuer.storage import Storage
from revocast.issuer.storage.signing_keys import all_documents, newest_document
from revocast.schemas.delegating import InForce
from revocast.schemas.delegations import DelegationList, Role
from revocast.schemas.errors import SchemaError
from revocast.schemas.events import Envelope
from revocast.schemas.keyset import KeySet
from revocast.schemas.trust import Trust
from revocast.schemas.verdict import Outcome, Verdict

__all__ = ["KeysTopic", "SignedList"]


@dataclass(frozen=True, slots=True)
class SignedList:
    """A delegation list that the root signed."""

    version: int
    compact: bytes


@dataclass(frozen=True, slots=True)
class _Document:
    """Something on the topic that a reader would believe. `event_kid` is None where the root signed it."""

    offset: int
    hash: bytes
    event_kid: str | None
    listed: SignedList | None = None


class KeysTopic:
    """Follows the topic from its first record. `root` is the thumbprint that the database pins."""

    def __init__(self, storage: Storage, reader: PartitionReader, issuer: str, root: str) -> None:
        self._storage = storage
        self._reader = reader
        self._pin = (issuer, root)
        self._trust = Trust(issuer, root)
        self._held: dict[int, bytes] = {}
        self._seen: set[bytes] = set()
        self._unknown: list[_Document] = []

    async def open(self) -> None:
        """Go to the beginning."""
        self._trust = Trust(*self._pin)
        self._held.clear()
        self._seen.clear()
        self._unknown.clear()
        self._reader.seek((await self._reader.bounds())[0])

    async def newer_lists(self) -> list[SignedList]:
        """Read to an end offset asked now; in order, the lists that the database lacks and that are not older than its newest.

        Raises `LogMismatch`, and `LogLost` when the topic is shorter than before.
        """
        end = await self._reader.end()
        if end < self._reader.next_offset:
            raise LogLost("the keys topic lost its newest documents, or is another one by now")
        while self._reader.next_offset < end:
            for record in await self._reader.read():
                self._take(record.value, record.offset)
        if not self._unknown:
            return []
        known, in_force = await asyncio.to_thread(self._stored)
        self._unknown = [document for document in self._unknown if document.hash not in known]
        for document in self._unknown:
            if document.listed is None and self._signs_now(document.event_kid, in_force):
                raise LogMismatch(
                    f"the keys topic is ahead of the database: a signed document at offset {document.offset} "
                    "is not in it; it was restored, or is not this topic's, or the event key is compromised"
                )
        lists = (document.listed for document in self._unknown if document.listed is not None)
        return [listed for listed in lists if listed.version >= in_force.version]

    async def missing(self) -> list[tuple[str, bytes]]:
        """The newest documents of the database that were not on the topic, as (jti, bytes)."""
        newest = await asyncio.to_thread(self._newest)
        return [(jti, compact) for jti, compact in newest if Envelope.parse(compact).hash not in self._seen]

    def _take(self, value: bytes | None, offset: int) -> None:
        self._held[offset] = value or b""
        for verdict in self._trust.receive(value, offset):
            self._note(verdict)

    def _note(self, verdict: Verdict) -> None:
        if verdict.outcome is Outcome.HELD:
            return
        value = self._held.pop(verdict.offset)
        if verdict.outcome in (Outcome.APPLIED, Outcome.REPLAY):
            self._seen.add(Envelope.parse(value).hash)
        if verdict.outcome in (Outcome.APPLIED, Outcome.UPGRADE):
            self._unknown.append(self._document(value, verdict.offset))

    def _document(self, value: bytes, offset: int) -> _Document:
        envelope = Envelope.parse(value)
        if self._trust.event_key(envelope.kid) is not None:
            return _Document(offset, envelope.hash, envelope.kid)
        try:
            listed = DelegationList.from_event(envelope.event())
        except SchemaError:
            return _Document(offset, envelope.hash, None)
        return _Document(offset, envelope.hash, None, SignedList(listed.version, value))

    def _signs_now(self, event_kid: str | None, in_force: DelegationList) -> bool:
        """Whether the root signed, or a key that may: under the topic's newest list, and under the database's."""
        if event_kid is None:
            return True
        delegate = in_force.delegate(event_kid, Role.EVENT)
        ours = delegate is not None and delegate.bound is None
        return ours and self._trust.event_key(event_kid) is not None

    def _stored(self) -> tuple[set[bytes], DelegationList]:
        with self._storage.read() as session:
            hashes = {Envelope.parse(document.compact).hash for document in all_documents(session)}
            newest = newest_document(session, DelegationList.TYPE).compact
        return hashes, InForce.read(newest).listed

    def _newest(self) -> Iterable[tuple[str, bytes]]:
        with self._storage.read() as session:
            newest = [newest_document(session, type) for type in (DelegationList.TYPE, KeySet.TYPE)]
            return [(document.jti, document.compact) for document in newest]
