"""The issuer's facade: everything that HTTP, commands and tests may ask of the authority.

Methods are synchronous and safe to call from many threads (run them in a thread pool); `published` is the one coroutine.
Every method may raise `StorageUnavailable`; then nothing was done.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from revocast.issuer.authority.answers import (
    Explanation,
    LogEntry,
    MintedToken,
    PublicationState,
    Status,
)
from revocast.issuer.authority.lifecycle import TokenKey
from revocast.issuer.authority.registry import Client, RegisteredClient, ResourceServer
from revocast.issuer.authority.revocations import Lift, Receipt, Revocation, Revoked

__all__ = ["Service"]


class Service:
    """One per process. Built by the composition root: `Service(storage, keystore, publication, clock)`."""

    issuer: str
    """The issuer's URL: `iss` of tokens and of our events."""
    operator_audience: str
    """`aud` of the tokens that the operator API takes (the issuer's URL)."""

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
        raise NotImplementedError

    def revocation_of(self, token: str) -> Revocation:
        """The revocation that ends exactly this token of ours (also an expired one: it then changes nothing).

        Raises `TokenRejected` when it is not signed by us.
        """
        raise NotImplementedError

    async def published(self, receipt: Receipt, timeout_s: float) -> PublicationState:
        """Wait until Kafka acknowledged the receipt's record, at most `timeout_s` seconds."""
        raise NotImplementedError

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
        raise NotImplementedError

    def log(self, after_n: int = 0, limit: int = 100) -> list[LogEntry]:
        """Records of the current epoch after `after_n`, in order."""
        raise NotImplementedError

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
        raise NotImplementedError

    def verify(self, token: str, audience: str | None = None) -> Mapping[str, Any]:
        """The claims of a live, unrevoked token of ours. Raises `TokenRejected`; its `code` says why."""
        raise NotImplementedError

    def explain(self, token: str) -> Explanation:
        """Which selectors a token has, which rows stand for them, and what a service would answer. Never raises for a
        bad token: it is refused with a reason."""
        raise NotImplementedError

    # -- keys --------------------------------------------------------------------------------------------------------

    def keys(self) -> list[TokenKey]:
        """All token keys, newest first."""
        raise NotImplementedError

    def rotate_key(self, alg: str | None = None, *, actor: str) -> TokenKey:
        """Announce a new key; it signs after the announcement time. `alg` None: the newest key's.

        Raises `Conflict` while another one is announced.
        """
        raise NotImplementedError

    def revoke_key(self, kid: str, *, actor: str, reason: str) -> Receipt:
        """Revoke a compromised key and everything it signed. Raises `NotFound`, `Conflict` (already revoked)."""
        raise NotImplementedError

    def key_set(self) -> bytes:
        """The newest signed key set."""
        raise NotImplementedError

    def delegations(self) -> bytes:
        """The newest signed delegation list."""
        raise NotImplementedError

    def jwks(self) -> dict[str, Any]:
        """RFC 7517 JWK set of the keys under which our tokens verify."""
        raise NotImplementedError

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
        raise NotImplementedError

    def clients(self) -> list[Client]:
        """All clients, by id."""
        raise NotImplementedError

    def client(self, client_id: str) -> Client:
        """One client. Raises `NotFound`."""
        raise NotImplementedError

    def authenticate_client(self, client_id: str, client_secret: str) -> Client | None:
        """The client, or None. An unknown id, a wrong secret and a disabled client cost the same and look the same."""
        raise NotImplementedError

    def register_resource_server(
        self, audience: str, name: str, scopes: Sequence[str], *, actor: str
    ) -> ResourceServer:
        """Register a service that takes our tokens. Raises `Conflict` when the audience is taken."""
        raise NotImplementedError

    def resource_servers(self) -> list[ResourceServer]:
        """All resource servers, by audience."""
        raise NotImplementedError

    # -- itself ------------------------------------------------------------------------------------------------------

    def record_audit(self, type: str, subject: str, data: Mapping[str, Any]) -> None:
        """Write an audit event that belongs to no other write (a refused login, another client's token)."""
        raise NotImplementedError

    def status(self) -> Status:
        """The authority at a glance."""
        raise NotImplementedError

    def check_ready(self) -> None:
        """Return when the database answers and a key can sign; raise `StorageUnavailable` or `NoSigningKey` when not."""
        raise NotImplementedError
