"""Registering clients and the services that take our tokens."""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from uuid import uuid4

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from revocast.issuer.authority.registry import Client, RegisteredClient, ResourceServer
from revocast.issuer.client_secrets import ClientSecrets
from revocast.issuer.clock import Clock
from revocast.issuer.errors import Conflict, InvalidRequest, NotFound
from revocast.issuer.storage import Storage
from revocast.issuer.storage.deployment import load_terms
from revocast.issuer.storage.outbox import write_event
from revocast.issuer.storage.registry import (
    add_client,
    add_resource_server,
    all_clients,
    all_resource_servers,
    as_client,
    find_client,
    find_resource_server,
)
from revocast.schemas.audit import AuditType

__all__ = ["Registry"]

_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}")  # RFC 6749 §3.3
_NAME: Final = re.compile(r"[\x21-\x7e]{1,255}")
_MAX_TITLE: Final = 255


class Registry:
    """Who may ask for tokens, and for which services."""

    def __init__(self, storage: Storage, secrets: ClientSecrets, clock: Clock) -> None:
        self._storage = storage
        self._secrets = secrets
        self._clock = clock

    def register_client(
        self,
        name: str,
        access: Mapping[str, Sequence[str]],
        *,
        introspects: Sequence[str] = (),
        client_id: str | None = None,
        actor: str,
    ) -> RegisteredClient:
        """See `Service.register_client`."""
        client = Client(
            client_id=_checked("client_id", client_id if client_id is not None else str(uuid4())),
            name=_title(name),
            access={audience: frozenset(scopes) for audience, scopes in access.items()},
            introspects=frozenset(introspects),
            created_at=int(self._clock()),
        )
        secret, secret_hash = self._secrets.generate()
        try:
            with self._storage.write() as session:
                for audience, scopes in client.access.items():
                    unknown = scopes - _server(session, audience).scopes
                    if unknown:
                        raise InvalidRequest(
                            f"scope: {', '.join(sorted(unknown))} is not known at {audience}"
                        )
                for audience in client.introspects:
                    _server(session, audience)
                add_client(session, client, secret_hash)
                self._audit(session, AuditType.CLIENT_REGISTERED, client.client_id, actor, {"name": name})
        except IntegrityError:
            raise Conflict(f"client_id: {client.client_id} is taken") from None
        return RegisteredClient(client, secret)

    def register_resource_server(
        self, audience: str, name: str, scopes: Sequence[str], *, actor: str
    ) -> ResourceServer:
        """See `Service.register_resource_server`."""
        for scope in scopes:
            if not _SCOPE.fullmatch(scope):
                raise InvalidRequest("scope: one scope is 1 to 128 visible ASCII characters without quotes")
        server = ResourceServer(
            _checked("audience", audience), _title(name), frozenset(scopes), int(self._clock())
        )
        try:
            with self._storage.write() as session:
                add_resource_server(session, server)
                data = {"name": name, "scopes": sorted(scopes)}
                self._audit(session, AuditType.RESOURCE_SERVER_REGISTERED, audience, actor, data)
        except IntegrityError:
            raise Conflict(f"audience: {audience} is taken") from None
        return server

    def authenticate(self, client_id: str, client_secret: str) -> Client | None:
        """See `Service.authenticate_client`."""
        with self._storage.read() as session:
            row = find_client(session, client_id)
            client, secret_hash = (as_client(row), row.secret_hash) if row else (None, None)
        # The secret is compared in every case, before anything else is looked at: the time tells nothing.
        matches = self._secrets.matches(client_secret, secret_hash)
        return client if matches and client and not client.disabled else None

    def client(self, client_id: str) -> Client:
        """One client. Raises `NotFound`."""
        with self._storage.read() as session:
            row = find_client(session, client_id)
            if row is None:
                raise NotFound("client_id: no such client")
            return as_client(row)

    def clients(self) -> list[Client]:
        """All clients, by id."""
        with self._storage.read() as session:
            return all_clients(session)

    def resource_servers(self) -> list[ResourceServer]:
        """All resource servers, by audience."""
        with self._storage.read() as session:
            return all_resource_servers(session)

    def _audit(
        self, session: Session, type: AuditType, subject: str, actor: str, data: Mapping[str, object]
    ) -> None:
        issuer = load_terms(session).issuer
        write_event(
            session, self._clock(), type, source=issuer, subject=subject, data={**data, "actor": actor}
        )


def _server(session: Session, audience: str) -> ResourceServer:
    server = find_resource_server(session, audience)
    if server is None:
        raise NotFound(f"audience: no resource server {audience!r} is registered")
    return server


def _checked(field: str, text: str) -> str:
    if not _NAME.fullmatch(text):
        raise InvalidRequest(f"{field}: 1 to 255 visible ASCII characters")
    return text


def _title(name: str) -> str:
    if not 0 < len(name) <= _MAX_TITLE or not name.isprintable():
        raise InvalidRequest(f"name: 1 to {_MAX_TITLE} printable characters")
    return name
