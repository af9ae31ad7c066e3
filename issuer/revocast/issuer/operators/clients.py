"""Clients and resource servers: list and register."""

from typing import Annotated, Any, Self

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints

from revocast.issuer.authority.registry import Client, ResourceServer
from revocast.issuer.errors import AccessDenied
from revocast.issuer.operators.body import Body, Text
from revocast.issuer.operators.context import Context
from revocast.issuer.operators.guard import Operator
from revocast.issuer.operators.scopes import Scope

__all__ = ["client_routes"]

Label = Annotated[Text, StringConstraints(min_length=1, max_length=200)]
Audience = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,255}$")]
ClientId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~-]{1,128}$")]
ScopeName = Annotated[str, StringConstraints(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]{1,128}$")]  # RFC 6749 §3.3


class ClientRequest(Body):
    """A client: who may ask for tokens, and for which services."""

    name: Label = Field(examples=["Web shop"])
    access: dict[Audience, list[ScopeName]] = Field(
        description="audience → scopes that it may have there", examples=[{"orders": ["read"]}]
    )
    introspects: list[Audience] = Field(
        default_factory=list,
        description="audiences whose tokens it may introspect: a resource server's own client",
    )
    client_id: ClientId | None = Field(None, description="made up if left out", examples=["web-shop"])


class ClientModel(BaseModel):
    """A registered client."""

    client_id: str
    name: str
    access: dict[str, list[str]]
    introspects: list[str]
    created_at: int = Field(description="seconds")
    disabled: bool


class RegisteredModel(ClientModel):
    """A new client and its secret, which is shown this once."""

    client_secret: str


class ClientPage(BaseModel):
    """All clients, by id."""

    items: list[ClientModel]


class ResourceServerRequest(Body):
    """A service that takes our tokens."""

    audience: Audience = Field(
        examples=["orders"], description="the `aud` of its tokens; the `resource` of token requests"
    )
    name: Label = Field(examples=["Order service"])
    scopes: list[ScopeName] = Field(examples=[["read", "write"]])


class ResourceServerModel(BaseModel):
    """A registered resource server."""

    audience: str
    name: str
    scopes: list[str]
    created_at: int = Field(description="seconds")

    @classmethod
    def of(cls, server: ResourceServer) -> Self:
        """The resource server as it is answered."""
        return cls(
            audience=server.audience,
            name=server.name,
            scopes=sorted(server.scopes),
            created_at=server.created_at,
        )


class ResourceServerList(BaseModel):
    """All resource servers, by audience."""

    items: list[ResourceServerModel]


def client_routes(context: Context) -> APIRouter:
    """`/v1/clients` and `/v1/resource-servers`."""
    router = context.router("clients")
    service = context.service

    @router.get("/clients", summary="List clients")
    def clients(operator: Annotated[Operator, context.needs(Scope.READ)]) -> ClientPage:
        return ClientPage(items=[ClientModel(**_members(client)) for client in service.clients()])

    @router.post("/clients", summary="Register a client", status_code=201)
    def register_client(
        body: ClientRequest, operator: Annotated[Operator, context.needs(Scope.CLIENTS)]
    ) -> RegisteredModel:
        if not operator.scopes.issuperset(body.access.get(service.operator_audience, ())):
            raise AccessDenied("access: an operator cannot give operator scopes that it does not have")
        registered = service.register_client(
            body.name,
            body.access,
            introspects=body.introspects,
            client_id=body.client_id,
            actor=operator.actor,
        )
        return RegisteredModel(**_members(registered.client), client_secret=registered.client_secret)

    @router.get("/resource-servers", summary="List resource servers")
    def resource_servers(operator: Annotated[Operator, context.needs(Scope.READ)]) -> ResourceServerList:
        return ResourceServerList(
            items=[ResourceServerModel.of(server) for server in service.resource_servers()]
        )

    @router.post("/resource-servers", summary="Register a resource server", status_code=201)
    def register_resource_server(
        body: ResourceServerRequest, operator: Annotated[Operator, context.needs(Scope.CLIENTS)]
    ) -> ResourceServerModel:
        server = service.register_resource_server(body.audience, body.name, body.scopes, actor=operator.actor)
        return ResourceServerModel.of(server)

    return router


def _members(client: Client) -> dict[str, Any]:
    return {
        "client_id": client.client_id,
        "name": client.name,
        "access": {audience: sorted(scopes) for audience, scopes in sorted(client.access.items())},
        "introspects": sorted(client.introspects),
        "created_at": client.created_at,
        "disabled": client.disabled,
    }
