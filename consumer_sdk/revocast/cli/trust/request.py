"""`revocast trust request`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from revocast.cli.answer import Answer, AsJson, lines
from revocast.cli.keys import Algorithm
from revocast.cli.operator import Operator
from revocast.cli.settings import operator_settings
from revocast.cli.trust.event_keys import EventAlgorithm, make_event_key
from revocast.cli.trust.known import Bundle
from revocast.cli.trust.publishing import write_new
from revocast.cli.trust.sources import SCOPE

__all__ = ["app"]

app = typer.Typer()


@app.command()
def request(
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Where to write the bundle. It holds no secret.")
    ],
    event_key: Annotated[
        bool, typer.Option("--event-key", help="Make a fresh event key first, for the root to delegate.")
    ] = False,
    alg: EventAlgorithm = Algorithm.EDDSA,
    as_json: AsJson = False,
) -> Answer:
    """Write what the root's holder needs to know, for a machine without network: the way to keep the root offline.

    \b
    revocast trust request --event-key --out request.json      online
    revocast trust delegate --root-key root.pem --from request.json --out list.jwt      offline
    revocast trust publish list.jwt      online
    """
    with Operator(operator_settings()) as operator:
        made = make_event_key(operator, alg) if event_key else None
        found = operator.get("/v1/trust", SCOPE)
    bundle = Bundle.parse(found, "the issuer's answer")
    write_new(out, json.dumps(found, indent=2).encode() + b"\n")
    said = [f"written: {out}", f"  issuer     {bundle.issuer}"]
    if made:
        said.append(f"  event key  {made.kid}: compare it on the other machine before you sign")
    data = {"out": str(out), "issuer": bundle.issuer, "event_key": made.kid if made else None}
    return Answer(data, lines(*said, style="bold green"))
