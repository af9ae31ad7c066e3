"""`revocast keys`."""

from enum import StrEnum
from typing import Annotated
from urllib.parse import quote

import typer
from rich.text import Text

from revocast.cli.answer import Answer, AsJson, lines, table
from revocast.cli.confirm import Yes, confirm
from revocast.cli.errors import Misused
from revocast.cli.inert import inert
from revocast.cli.operator import Operator
from revocast.cli.settings import operator_settings
from revocast.cli.times import show_time
from revocast.cli.written import DryRun, Reason, receipt, write

__all__ = ["Algorithm", "app", "revoke_key"]

app = typer.Typer(help="The keys that sign tokens: see, rotate, revoke.", no_args_is_help=True)

_STYLES = {"active": "bold green", "announced": "cyan", "retiring": "yellow", "revoked": "bold red"}


class Algorithm(StrEnum):
    """The signature algorithms that every reader knows."""

    RS256 = "RS256"
    ES256 = "ES256"
    EDDSA = "EdDSA"


@app.command("list")
def list_keys(as_json: AsJson = False) -> Answer:
    """Every key with its state: announced → active → retiring → retired, or revoked."""
    with Operator(operator_settings()) as operator:
        found = operator.get("/v1/keys", "revocast:read")
    rows = (
        (
            key["kid"],
            key["alg"],
            Text(inert(key["state"]), _STYLES.get(key["state"], "dim")),
            *(show_time(key[name]) if key.get(name) else "" for name in ("announced_at", "activated_at")),
            *(show_time(key[name]) if key.get(name) else "" for name in ("retiring_at", "revoked_at")),
        )
        for key in found["items"]
    )
    return Answer(found, table(("kid", "alg", "state", "announced", "active", "retiring", "revoked"), rows))


@app.command()
def rotate(
    alg: Annotated[
        Algorithm | None, typer.Option(help="The new key's; as the newest key's, if left out.")
    ] = None,
    as_json: AsJson = False,
) -> Answer:
    """Announce a new key. It signs once the fleet has had time to learn it; the old one then retires. No token is refused.

    \b
    revocast keys rotate
    revocast keys rotate --alg ES256
    """
    with Operator(operator_settings()) as operator:
        key = operator.post("/v1/keys/rotate", "revocast:keys", {"alg": str(alg) if alg else None})
    return Answer(key, lines(f"{key['state']}: {key['kid']} ({key['alg']})", style="bold green"))


@app.command()
def revoke(
    kid: str,
    reason: Reason = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> Answer:
    """Revoke a compromised key: everything it signed is refused, in every service, at once. There is no way back.

    \b
    revocast keys revoke h7Zk… --reason "leaked in a build log"
    """
    return revoke_key(kid, reason=reason, dry_run=dry_run, yes=yes)


def revoke_key(kid: str, *, reason: str | None, dry_run: bool, yes: bool) -> Answer:
    """Ask, then revoke the key. The same for `keys revoke` and `revoke key`."""
    if not kid:
        raise Misused("a kid is not empty", "See: revocast keys list")
    if dry_run:
        selector = {"kind": "key", "values": [kid]}
        body = {"selector": selector, "slot": "block", "reason": reason, "dry_run": True}
        return write("/v1/revocations", "revocast:revoke", body)
    confirm(f"This refuses every token that key {kid} signed, for ever. Go on?", yes=yes)
    with Operator(operator_settings()) as operator:
        path = f"/v1/keys/{quote(kid, safe='')}/revoke"
        return receipt(operator, operator.post(path, "revocast:keys", {"reason": reason or ""}))
