"""`revocast mint`."""

from typing import Annotated

import typer
from rich.text import Text

from revocast.cli.answer import Answer, AsJson
from revocast.cli.errors import Misused
from revocast.cli.inert import inert
from revocast.cli.operator import Operator
from revocast.cli.settings import operator_settings

__all__ = ["app"]

app = typer.Typer()


@app.command()
def mint(
    sub: Annotated[str, typer.Argument(help="The user.")],
    client: Annotated[str, typer.Option(metavar="CLIENT_ID", help="The client that gets it.")],
    audience: Annotated[str, typer.Option(help="The service that it is for.")],
    scope: Annotated[
        str | None, typer.Option(help="Separated by spaces; all that the client may have.")
    ] = None,
    sid: Annotated[str | None, typer.Option(help="The user's session.")] = None,
    grant_id: Annotated[str | None, typer.Option(help="The authorization that it belongs to.")] = None,
    claim: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A declared claim. Repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> Answer:
    """A user's token, on behalf of a first-party client: to try things out. Only the token is written to stdout.

    \b
    revocast mint alice --client web-shop --audience orders > token.jwt
    curl -H "Authorization: Bearer $(cat token.jwt)" http://localhost:8001/whoami
    """
    claims = dict(_named(text) for text in claim or [])
    body = {
        "client_id": client,
        "sub": sub,
        "audience": audience,
        "scope": scope,
        "sid": sid,
        "grant_id": grant_id,
    }
    with Operator(operator_settings()) as operator:
        made = operator.post("/v1/tokens", "revocast:mint", {**body, "claims": claims or None})
    return Answer(made, Text(inert(made["access_token"])))


def _named(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise Misused(f"--claim {text} is not NAME=VALUE", "Write: --claim tenant=acme")
    return name, value
