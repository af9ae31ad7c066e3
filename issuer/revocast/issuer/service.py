"""The issuer's facade: everything that HTTP, commands and tests may ask of the authority.

Methods are synchronous and safe to call from many threads (run them in a thread pool); `published` is the one coroutine.
Every method may raise `StorageUnavailable`; then nothing was done.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from revocast.issuer.authority.answers import (
    Explanation,
    LogEntry,
    MintedToken,
    PublicationState,
    Status,
)
from revocast.issuer.authority.bulk import Bulk, Line
from revocast.issuer.authority.event_keys import EventKey
from revocast.issuer.authority.lifecycle import KeyState, TokenKey
from revocast.issuer.authority.registry import Client, RegisteredClient, ResourceServer
from revocast.issuer.authority.revocations import Lift, Named, Receipt, Revocation, Revoked
from revocast.issuer.authority.snapshots import SnapshotReport
from revocast.issuer.authority.terms import Terms
from revocast.issuer.authority.trust_report import TrustReport
from revocast.issuer.bulk_desk import BulkDesk, Wrote
from revocast.issuer.client_secrets import ClientSecrets
from revocast.issuer.clock import Clock, wall_clock
from revocast.issuer.errors import Conflict, NoSigningKey
from revocast.issuer.key_desk import KeyDesk
from revocast.issuer.keystore import KeyStore
from revocast.issuer.minting import Mint, check_may_sign
from revocast.issuer.publication import Publication
from revocast.issuer.registration import Registry
from revocast.issuer.reporting import status_of, warnings_in
from revocast.issuer.revoking import RevocationDesk
from revocast.issuer.storage import Storage
from revocast.issuer.storage.deployment import load_terms
from revocast.issuer.storage.log import head_of, log_after, published_place
from revocast.issuer.storage.outbox import write_event
from revocast.issuer.storage.publishing import is_enforced
from revocast.issuer.storage.signing_keys import newest_document, token_keys
from revocast.issuer.storage.snapshots import ask_for_cut, is_asked, oldest_place, snapshots_in
from revocast.issuer.token_reading import TokenReader
from revocast.issuer.trust_desk import Adopted, TrustDesk
from revocast.schemas.audit import AuditType
from revocast.schemas.delegations import DelegationList
from revocast.schemas.keyset import VERIFYING, KeySet
from revocast.schemas.row import Slot

__all__ = ["Service"]

_POLL_S: Final = 0.02
_POLL_LEADING_S: Final = 0.5


class Service:
    """One per process, built by the composition root; it shares `publication` with the process's relay.

    Raises `NotInitialized` for a database that `revocast init` has not made.
    """

    def __init__(
        self, storage: Storage, keystore: KeyStore, publication: Publication, clock: Clock = wall_clock
    ) -> None:
        with storage.read() as session:
            terms = load_terms(session)
        self.issuer = terms.issuer
        """The issuer's URL: `iss` of tokens and of our events."""
        self.operator_audience = terms.issuer
        """`aud` of the tokens that the operator API takes."""
        self._storage = storage
        self._publication = publication
        self._clock = clock
        self._desk = RevocationDesk(storage, publication, clock)
        self._bulk = BulkDesk(storage, publication, clock)
        self._keys = KeyDesk(storage, keystore, publication, clock)
        self._trust = TrustDesk(storage, keystore, publication, clock)
        self._mint = Mint(storage, keystore, clock)
        self._reader = TokenReader(storage, clock)
        self._registry = Registry(storage, ClientSecrets(), clock)

    # -- revocations -------------------------------------------------------------------------------------------------

    def revoke(
        self,
        revocations: Sequence[Revocation],
        lifts: Sequence[Lift],
        *,
        actor: str,
        reason: str,
        dry_run: bool = False,
    ) -> Receipt:
        """Write one record: the lifts, then the revocations, in one transaction.

        Raises `UnknownIssuer`, `InvalidRequest` (a cutoff in the future, no row, more than 1,000 rows), or
        `ClaimUndeclared` of the schemas.
        """
        return self._desk.revoke(revocations, lifts, actor=actor, reason=reason, dry_run=dry_run)

    def now(self) -> float:
        """The authority's clock, seconds."""
        return self._clock()

    def terms(self) -> Terms:
        """Under what this authority issues and revokes now."""
        with self._storage.read() as session:
            return load_terms(session)

    def revoke_lines(self, lines: Sequence[Line], bulk: Bulk, allow: Callable[[int], None]) -> Wrote:
        """Write lines of a file in one transaction, in records of up to 1,000 rows; none if they change nothing.

        Others wait meanwhile: give it `LINES_A_TURN` at most. `allow` is asked before so many rows are written; what it
        raises undoes everything. Raises `InvalidRequest`.
        """
        return self._bulk.write(lines, bulk, allow)

    def count_lines(self, lines: Sequence[Line]) -> Wrote:
        """What `revoke_lines` would do; it writes nothing."""
        return self._bulk.count(lines)

    def revocation_of(self, token: str) -> Revocation:
        """The revocation that ends exactly this token of ours (also an expired one: it then changes nothing).

        Raises `TokenRejected` when it is not signed by us.
        """
        return self._reader.revocation_of(token)

    async def published(self, receipt: Receipt, timeout_s: float) -> PublicationState:
        """Wait until Kafka has the receipt's record and its epoch's live set, at most `timeout_s` seconds."""
        if receipt.dry_run:
            return "pending"
        deadline = time.monotonic() + timeout_s
        while True:
            left = deadline - time.monotonic()
            # Where this process's relay publishes, it wakes us; another process's only writes to the database.
            wait_s = min(left, _POLL_LEADING_S if self._publication.leading else _POLL_S)
            if await self._publication.wait(receipt.epoch, receipt.n, max(wait_s, 0)):
                return "published"
            if await asyncio.to_thread(self._noted_as_published, receipt):
                return "published"
            if left <= 0:
                return "pending"

    def published_place(self) -> tuple[int, int]:
        """Epoch and n up to which Kafka has the log, as far as the relay noted it."""
        with self._storage.read() as session:
            place = published_place(session)
            return place.epoch, place.n

    def list_revocations(
        self,
        *,
        kind: str | None = None,
        value: str | None = None,
        live_only: bool = True,
        limit: int = 100,
        after: str | None = None,
    ) -> tuple[list[Revoked], str | None]:
        """A page of the table in the clear, newest record first, and the cursor of the next page.

        `value` matches any value of a selector exactly. `live_only=False` also shows rows whose time is over and that
        no record has dropped yet.
        """
        return self._desk.page(kind=kind, value=value, live_only=live_only, limit=limit, after=after)

    def named(self, fingerprint: bytes, slot: Slot) -> Named:
        """What a row of the table stands for, as far as it is known. Raises `NotFound`."""
        return self._desk.named(fingerprint, slot)

    def log(self, after_n: int = 0, limit: int = 100) -> list[LogEntry]:
        """Records of the current epoch after `after_n`, in order."""
        with self._storage.read() as session:
            return log_after(session, head_of(session).epoch, after_n, limit)

    def snapshots(self) -> SnapshotReport:
        """The cuts that were taken, and what became of them."""
        with self._storage.read() as session:
            return SnapshotReport(snapshots_in(session), oldest_place(session), is_asked(session))

    def ask_for_snapshot(self) -> None:
        """Have a snapshot cut, whether it is time or not, by the process that publishes. Raises `Conflict` while the live set is
        being re-issued."""
        with self._storage.write() as session:
            if head_of(session).live_set_n is None:
                raise Conflict("the live set is being re-issued: a snapshot is cut once it is whole")
            ask_for_cut(session)

    # -- tokens ------------------------------------------------------------------------------------------------------

    def mint(
        self,
        client_id: str,
        audience: str,
        scope: Sequence[str] | None = None,
        *,
        subject: str | None = None,
        extra: Mapping[str, Any] | None = None,
        lifetime_s: int | None = None,
        actor: str | None = None,
    ) -> MintedToken:
        """Mint an RFC 9068 access token.

        `scope` None: all that the client may have at the audience. `subject` None: the client itself. `extra`: `sid`,
        `grant_id` and declared claims. `actor`: who minted it on the client's behalf (audited). It may sleep up to a
        second, to wait out a second in which a cutoff fell. Raises `AccessDenied`, `NotFound`, `NoSigningKey`,
        `InvalidRequest`.
        """
        minted = self._mint.mint(
            client_id, audience, scope, subject=subject, extra=extra or {}, lifetime_s=lifetime_s
        )
        if actor is not None:
            data = {"client_id": client_id, "aud": audience, "jti": minted.claims["jti"], "actor": actor}
            self.record_audit(AuditType.TOKEN_MINTED, str(minted.claims["sub"]), data)
        return minted

    def verify(self, token: str, audience: str | None = None) -> Mapping[str, Any]:
        """The claims of a live, unrevoked token of ours. Raises `TokenRejected`; its `code` says why."""
        return self._reader.verify(token, audience)

    def explain(self, token: str) -> Explanation:
        """Which selectors a token has, which rows stand for them, and what a service would answer. Never raises for a
        bad token: it is refused with a reason."""
        return self._reader.explain(token)

    # -- keys --------------------------------------------------------------------------------------------------------

    def keys(self) -> list[TokenKey]:
        """All token keys, newest first."""
        return self._keys.keys()

    def rotate_key(self, alg: str | None = None, *, actor: str) -> TokenKey:
        """Announce a new key; it signs after the announcement time. `alg` None: the newest key's.

        Raises `Conflict` while another one is announced.
        """
        return self._keys.rotate(alg, actor=actor)

    def revoke_key(self, kid: str, *, actor: str, reason: str) -> Receipt:
        """Revoke a compromised key and everything it signed. Raises `NotFound`, `Conflict` (already revoked)."""
        return self._keys.revoke(kid, actor=actor, reason=reason)

    def key_set(self) -> bytes:
        """The newest signed key set."""
        return self._newest(KeySet.TYPE)

    def delegations(self) -> bytes:
        """The newest signed delegation list."""
        return self._newest(DelegationList.TYPE)

    def jwks(self) -> dict[str, Any]:
        """RFC 7517 JWK set of the keys under which our tokens verify."""
        verifying = [key for key in self.keys() if key.state in VERIFYING]
        return {"keys": [dict(key.jwk) for key in verifying]}

    # -- trust -------------------------------------------------------------------------------------------------------

    def trust(self) -> TrustReport:
        """The delegation list in force, and the keys of which the next one can be made."""
        return self._trust.report()

    def make_event_key(self, alg: str | None = None, *, actor: str) -> EventKey:
        """Make an event key. It signs nothing until a delegation list names it. `alg` None: EdDSA."""
        return self._trust.make_event_key(alg, actor=actor)

    def adopt(self, compact: bytes, *, actor: str) -> Adopted:
        """Take a delegation list that the root signed into force, in one transaction.

        Raises `InvalidRequest` or `Conflict`, naming what is wrong with the list.
        """
        return self._trust.adopt(compact, actor=actor)

    # -- clients and resource servers --------------------------------------------------------------------------------

    def register_client(
        self,
        name: str,
        access: Mapping[str, Sequence[str]],
        *,
        introspects: Sequence[str] = (),
        client_id: str | None = None,
        actor: str,
    ) -> RegisteredClient:
        """Register a client with a generated secret. Raises `NotFound` (audience), `InvalidRequest` (scope), `Conflict`."""
        return self._registry.register_client(
            name, access, introspects=introspects, client_id=client_id, actor=actor
        )

    def clients(self) -> list[Client]:
        """All clients, by id."""
        return self._registry.clients()

    def client(self, client_id: str) -> Client:
        """One client. Raises `NotFound`."""
        return self._registry.client(client_id)

    def authenticate_client(self, client_id: str, client_secret: str) -> Client | None:
        """The client, or None. An unknown id, a wrong secret and a disabled client cost the same and look the same."""
        return self._registry.authenticate(client_id, client_secret)

    def register_resource_server(
        self, audience: str, name: str, scopes: Sequence[str], *, actor: str
    ) -> ResourceServer:
        """Register a service that takes our tokens. Raises `Conflict` when the audience is taken."""
        return self._registry.register_resource_server(audience, name, scopes, actor=actor)

    def resource_servers(self) -> list[ResourceServer]:
        """All resource servers, by audience."""
        return self._registry.resource_servers()

    # -- itself ------------------------------------------------------------------------------------------------------

    def record_audit(self, type: AuditType, subject: str, data: Mapping[str, Any]) -> None:
        """Write an audit event that belongs to no other write (a refused login, another client's token)."""
        with self._storage.write() as session:
            write_event(session, self._clock(), type, source=self.issuer, subject=subject, data=data)
        self._publication.committed()

    def status(self) -> Status:
        """The authority at a glance."""
        with self._storage.read() as session:
            return status_of(session, self._publication.relay, self._clock())

    def warnings(self) -> list[str]:
        """What somebody should do something about, a sentence each."""
        with self._storage.read() as session:
            return warnings_in(session, self._publication.relay, self._clock())

    def check_ready(self) -> None:
        """Return when the database answers and a key can sign; raise `StorageUnavailable` or `NoSigningKey` when not."""
        with self._storage.read() as session:
            check_may_sign(load_terms(session))
            if not token_keys(session, KeyState.ACTIVE):
                raise NoSigningKey("no token key is active")
            head_of(session)

    def _newest(self, type: str) -> bytes:
        with self._storage.read() as session:
            return newest_document(session, type).compact

    def _noted_as_published(self, receipt: Receipt) -> bool:
        with self._storage.read() as session:
            return is_enforced(session, receipt.epoch, receipt.n)
