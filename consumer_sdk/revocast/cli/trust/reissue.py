"""Following the issuer while it re-issues the live set of a new epoch."""

import sys
import time
from dataclasses import replace

from revocast.cli.answer import Answer, lines
from revocast.cli.errors import Unreachable
from revocast.cli.operator import Operator
from revocast.cli.trust.sources import SCOPE

__all__ = ["follow"]

_LOOK_EVERY_S = 0.25


def follow(operator: Operator, begun: Answer, *, as_json: bool) -> Answer:
    """Wait until the live set is whole; the answer with where it ended. Raises `Unreachable`."""
    epoch, shown = begun.data["epoch"], 0
    try:
        while (found := operator.get("/v1/trust", SCOPE))["reissuing"] or found["epoch"] < epoch:
            if found["n"] != shown and not as_json:
                shown = found["n"]
                print(f"re-issuing: epoch {found['epoch']}, n = {shown}", file=sys.stderr)
            time.sleep(_LOOK_EVERY_S)
    except Unreachable as error:
        raise Unreachable(
            str(error), "The list is in force and the re-issue goes on by itself. See: revocast trust show"
        ) from None
    data = {**begun.data, "n": found["n"], "reissuing": False}
    headline = f"epoch {found['epoch']} is whole: the live set is re-issued, n = {found['n']}"
    shown_answer = lines(headline, f"  signs    {begun.data.get('active', '')}", style="bold green")
    return replace(begun, data=data, shown=shown_answer)
