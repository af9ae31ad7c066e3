"""The event key that a list is to add: one that the issuer holds and no list delegates yet."""

from typing import Annotated

import typer

from revocast.cli.errors import Misused
from revocast.cli.keys import Algorithm
from revocast.cli.operator import Operator
from revocast.cli.trust.known import KnownKey, KnownTrust
from revocast.cli.trust.sources import SCOPE

__all__ = ["EventAlgorithm", "make_event_key", "pending_key"]


EventAlgorithm = Annotated[Algorithm, typer.Option("--alg", help="Of a new event key.")]


def make_event_key(operator: Operator, alg: Algorithm) -> KnownKey:
    """Ask the issuer for a fresh one; its private half never leaves the issuer."""
    made = operator.post("/v1/event-keys", SCOPE, {"alg": str(alg)})
    return KnownKey.model_validate({**made, "role": "event", "state": "pending"})


def pending_key(known: KnownTrust, operator: Operator | None, alg: Algorithm) -> KnownKey:
    """The newest pending key, else a fresh one of the issuer's. Raises `Misused` when there is neither."""
    if pending := list(known.pending()):
        return pending[-1]
    if operator is None:
        raise Misused(
            f"{known.origin} holds no event key that waits to be delegated",
            "On an online machine: revocast trust request --event-key --out FILE",
        )
    return make_event_key(operator, alg)
