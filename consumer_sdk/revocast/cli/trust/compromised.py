"""`revocast trust compromised` and `revocast trust new-epoch`: begin again, under keys that nobody else has."""

from typing import Annotated

import typer

from revocast.cli.answer import Answer, AsJson
from revocast.cli.confirm import Yes
from revocast.cli.keys import Algorithm
from revocast.cli.trust.ceremony import Ceremony, Days, Out, ceremony
from revocast.cli.trust.event_keys import EventAlgorithm, pending_key
from revocast.cli.trust.reissue import follow
from revocast.cli.trust.root_key import RootKey
from revocast.cli.trust.sources import FromFile
from revocast.schemas.delegating import LIFETIME_DAYS
from revocast.schemas.delegations import DelegationList, Role

__all__ = ["app"]

app = typer.Typer()

Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Whether to follow the re-issue to its end.")]


@app.command()
def compromised(
    kid: Annotated[str, typer.Argument(help="The event or snapshot key that somebody else may have.")],
    root_key: RootKey,
    alg: EventAlgorithm = Algorithm.EDDSA,
    days: Days = LIFETIME_DAYS,
    source: FromFile = None,
    out: Out = None,
    wait: Wait = True,
    yes: Yes = False,
    as_json: AsJson = False,
) -> Answer:
    """Drop a stolen key and all that it signs from now on. No revocation is lost: the issuer re-issues the live set.

    A fresh event key takes over, and a new epoch of the log begins under it. Services enforce the table that they have until
    the new one is whole.

    \b
    revocast trust compromised h7Zk… --root-key root.pem
    revocast trust compromised h7Zk… --root-key root.pem --from request.json --out list.jwt
    """
    with ceremony(root_key, source) as opened:
        lost = opened.known.key(kid)
        jwks = (
            [(pending_key(opened.known, opened.operator, alg).jwk, Role.EVENT)]
            if lost.role is Role.EVENT
            else []
        )
        successor = opened.known.in_force.new_epoch(opened.now, days, without=[kid], jwks=jwks)
        return _begin_again(opened, successor, out=out, wait=wait, yes=yes, as_json=as_json)


@app.command("new-epoch")
def new_epoch(
    root_key: RootKey,
    days: Days = LIFETIME_DAYS,
    source: FromFile = None,
    out: Out = None,
    wait: Wait = True,
    yes: Yes = False,
    as_json: AsJson = False,
) -> Answer:
    """Begin the log anew under the same keys: it was lost, or its topic was recreated. The issuer re-issues the live set.

    \b
    revocast trust new-epoch --root-key root.pem
    """
    with ceremony(root_key, source) as opened:
        successor = opened.known.in_force.new_epoch(opened.now, days)
        return _begin_again(opened, successor, out=out, wait=wait, yes=yes, as_json=as_json)


def _begin_again(
    opened: Ceremony,
    successor: DelegationList,
    *,
    out: Out,
    wait: bool,
    yes: bool,
    as_json: bool,
) -> Answer:
    answer = opened.conclude(successor, out=out, yes=yes, as_json=as_json)
    if wait and opened.operator is not None and out is None:
        return follow(opened.operator, answer, as_json=as_json)
    return answer
