"""Clients and resource servers in the database."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from revocast.issuer.authority.registry import Client, ResourceServer
from revocast.issuer.storage.tables import ClientTable, ResourceServerTable

__all__ = [
    "add_client",
    "add_resource_server",
    "all_clients",
    "all_resource_servers",
    "as_client",
    "find_client",
    "find_resource_server",
]


def find_client(session: Session, client_id: str, *, share: bool = False) -> ClientTable | None:
    """One client; `share` holds it against being ended until the transaction ends."""
    query = select(ClientTable).where(ClientTable.client_id == client_id)
    if share:
        query = query.with_for_update(read=True)
    return session.scalars(query).first()


def all_clients(session: Session) -> list[Client]:
    """All clients, by id."""
    return [as_client(row) for row in session.scalars(select(ClientTable).order_by(ClientTable.client_id))]


def add_client(session: Session, client: Client, secret_hash: str) -> None:
    """Write a new client."""
    session.add(
        ClientTable(
            client_id=client.client_id,
            name=client.name,
            secret_hash=secret_hash,
            access={audience: sorted(scopes) for audience, scopes in client.access.items()},
            introspects=sorted(client.introspects),
            created_at=client.created_at,
            disabled=client.disabled,
        )
    )
    session.flush()


def as_client(row: ClientTable) -> Client:
    """The stored client without its secret."""
    return Client(
        client_id=row.client_id,
        name=row.name,
        access={audience: frozenset(scopes) for audience, scopes in row.access.items()},
        introspects=frozenset(row.introspects),
        created_at=row.created_at,
        disabled=row.disabled,
    )


def find_resource_server(session: Session, audience: str) -> ResourceServer | None:
    """One resource server."""
    row = session.get(ResourceServerTable, audience)
    return _as_resource_server(row) if row else None


def all_resource_servers(session: Session) -> list[ResourceServer]:
    """All resource servers, by audience."""
    query = select(ResourceServerTable).order_by(ResourceServerTable.audience)
    return [_as_resource_server(row) for row in session.scalars(query)]


def add_resource_server(session: Session, server: ResourceServer) -> None:
    """Write a new resource server."""
    session.add(
        ResourceServerTable(
            audience=server.audience,
            name=server.name,
            scopes=sorted(server.scopes),
            created_at=server.created_at,
        )
    )
    session.flush()


def _as_resource_server(row: ResourceServerTable) -> ResourceServer:
    return ResourceServer(row.audience, row.name, frozenset(row.scopes), row.created_at)
