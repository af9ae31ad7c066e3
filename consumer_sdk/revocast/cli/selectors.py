"""From words on the command line to the selector of the operator API, and back to words."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from revocast.cli.errors import Misused

__all__ = [
    "CLIENT_HELP",
    "Client",
    "Kind",
    "KindArgument",
    "OptionalKind",
    "TokenIssuer",
    "Values",
    "named_by",
    "selector_of",
    "words_of",
]


class Kind(StrEnum):
    """What can be named on the command line."""

    TOKEN = "token"
    SESSION = "session"
    GRANT = "grant"
    SUBJECT = "subject"
    CLIENT = "client"
    KEY = "key"
    CLAIM = "claim"
    ISSUER = "issuer"


_PLACES: Mapping[Kind, tuple[str, ...]] = {
    Kind.TOKEN: ("JTI",),
    Kind.SESSION: ("SID",),
    Kind.GRANT: ("GRANT_ID",),
    Kind.SUBJECT: ("SUB",),
    Kind.CLIENT: ("CLIENT_ID",),
    Kind.KEY: ("KID",),
    Kind.CLAIM: ("NAME", "VALUE"),
    Kind.ISSUER: (),
}

CLIENT_HELP = "With `subject`: only the tokens that this client got for the subject."

_KIND = typer.Argument(metavar="KIND", help="What to name: " + ", ".join(Kind) + ".")
KindArgument = Annotated[Kind, _KIND]
OptionalKind = Annotated[Kind | None, _KIND]
Values = Annotated[
    list[str] | None,
    typer.Argument(metavar="VALUE", help="Its value; `claim` takes NAME and VALUE, `issuer` none."),
]
Client = Annotated[str | None, typer.Option("--client", metavar="CLIENT_ID", help=CLIENT_HELP)]
TokenIssuer = Annotated[
    str | None,
    typer.Option("--token-issuer", metavar="URL", help="The `iss` of the tokens, if it is not our own."),
]


def selector_of(
    kind: Kind, values: Sequence[str], *, client: str | None = None, token_issuer: str | None = None
) -> dict[str, Any]:
    """The selector as the operator API takes it. Raises `Misused`, showing how to write it."""
    places = _PLACES[kind]
    if len(values) != len(places):
        usage = " ".join([kind, *places])
        raise Misused(f"{kind} takes {len(places)} value(s), got {len(values)}", f"Write: {usage}")
    if client is not None and kind is not Kind.SUBJECT:
        raise Misused("--client narrows a subject only", "Write: subject SUB --client CLIENT_ID")
    selector: dict[str, Any] = {"kind": str(kind), "values": list(values)}
    if kind is Kind.CLAIM:
        selector = {"kind": f"claim:{values[0]}", "values": [values[1]]}
    elif client is not None:
        selector = {"kind": "subject+client", "values": [values[0], client]}
    return {"issuer": token_issuer, **selector} if token_issuer else selector


def named_by(row: Mapping[str, Any]) -> str:
    """What a row of the issuer's table stands for; its fingerprint, if that is all that is known of it."""
    if row["selector"] is None:
        return f"{row['kind']} with the fingerprint {row['fingerprint']}"
    return words_of(row["selector"])


def words_of(selector: Mapping[str, Any]) -> str:
    """`subject alice`, `client web for subject alice`, `claim tenant = acme`, `everything of https://…`."""
    kind, values = str(selector["kind"]), [str(value) for value in selector["values"]]
    if kind == "subject+client":
        return f"client {values[1]} for subject {values[0]}"
    if kind == "issuer":
        return f"the whole issuer {selector.get('issuer', '')}".strip()
    if kind.startswith("claim:"):
        return f"claim {kind.removeprefix('claim:')} = {values[0]}"
    return f"{kind} {values[0]}"
