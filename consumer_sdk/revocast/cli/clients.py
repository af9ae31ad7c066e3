"""`revocast clients` and `revocast services`: who may ask for tokens, and for what."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from revocast.cli.answer import Answer, AsJson, lines, table
from revocast.cli.errors import Misused
from revocast.cli.operator import Operator
from revocast.cli.settings import operator_settings
from revocast.cli.times import show_time

__all__ = ["clients", "services"]

clients = typer.Typer(help="Who may ask for tokens.", no_args_is_help=True)
services = typer.Typer(help="The services that take our tokens (resource servers).", no_args_is_help=True)

Access = Annotated[
    list[str] | None,
    typer.Option(
        "--access", metavar="AUDIENCE=SCOPE[,SCOPE]", help="A service and what it may do there. Repeatable."
    ),
]


@clients.command("list")
def list_clients(as_json: AsJson = False) -> Answer:
    """All clients."""
    with Operator(operator_settings()) as operator:
        found = operator.get("/v1/clients", "revocast:read")
    rows = (
        (item["client_id"], item["name"], _shown(item["access"]), show_time(item["created_at"]))
        for item in found["items"]
    )
    return Answer(found, table(("client id", "name", "access", "since"), rows))


@clients.command("register")
def register_client(
    name: str,
    access: Access = None,
    introspects: Annotated[
        list[str] | None,
        typer.Option(
            metavar="AUDIENCE",
            help="A service whose tokens it may ask about: the client of that service itself. Repeatable.",
        ),
    ] = None,
    client_id: Annotated[str | None, typer.Option(help="Made up, if left out.")] = None,
    as_json: AsJson = False,
) -> Answer:
    """Register a client. Its secret is shown this once.

    \b
    revocast clients register "Web shop" --client-id web-shop --access orders=read,write
    revocast clients register "Orders" --client-id orders-service --introspects orders
    """
    asked = dict(map(_parsed, access or []))
    settings = operator_settings()
    # Nobody can give operator rights that they do not show to have.
    scopes = sorted({"revocast:clients", *asked.get(settings.issuer, ())})
    with Operator(settings) as operator:
        body = {"name": name, "client_id": client_id, "access": asked, "introspects": introspects or []}
        made = operator.post("/v1/clients", " ".join(scopes), body)
    shown = (
        f"client id      {made['client_id']}",
        f"client secret  {made['client_secret']}",
        "It is not shown again.",
    )
    return Answer(made, lines(*shown))


@services.command("list")
def list_services(as_json: AsJson = False) -> Answer:
    """All services."""
    with Operator(operator_settings()) as operator:
        found = operator.get("/v1/resource-servers", "revocast:read")
    rows = ((item["audience"], item["name"], " ".join(item["scopes"])) for item in found["items"])
    return Answer(found, table(("audience", "name", "scopes"), rows))


@services.command("register")
def register_service(
    audience: str,
    scope: Annotated[list[str] | None, typer.Option(help="A scope that it knows. Repeatable.")] = None,
    name: Annotated[str | None, typer.Option(help="For people; the audience, if left out.")] = None,
    as_json: AsJson = False,
) -> Answer:
    """Register a service by the audience of its tokens: REVOCAST_AUDIENCE of its guard.

    \b
    revocast services register orders --scope read --scope write
    """
    body = {"audience": audience, "name": name or audience, "scopes": scope or []}
    with Operator(operator_settings()) as operator:
        made = operator.post("/v1/resource-servers", "revocast:clients", body)
    return Answer(made, lines(f"registered {made['audience']}", style="bold green"))


def _parsed(access: str) -> tuple[str, list[str]]:
    audience, equals, scopes = access.rpartition("=")
    if not audience or not equals:
        raise Misused(
            f"--access {access} names no audience or no scope", "Write: --access AUDIENCE=SCOPE,SCOPE"
        )
    return audience, [scope for scope in scopes.split(",") if scope]


def _shown(access: Mapping[str, Any]) -> str:
    return "  ".join(f"{audience}={','.join(scopes)}" for audience, scopes in access.items())
