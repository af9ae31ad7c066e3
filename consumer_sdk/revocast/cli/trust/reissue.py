"""Following the issuer while it re-issues the live set of a new epoch."""

import sys
import time
from typing import Final

from revocast.cli.answer import Answer, lines
from revocast.cli.errors import PENDING, Denied, Unreachable
from revocast.cli.inert import inert
from revocast.cli.operator import Operator
from revocast.cli.trust.sources import SCOPE

__all__ = ["follow"]

_LOOK_EVERY_S: Final = 0.25
_PUBLISH_S: Final = 15.0


def follow(operator: Operator, begun: Answer, *, as_json: bool) -> Answer:
    """Wait until the live set is whole, and on Kafka; the answer with where it ended. Raises `Unreachable`."""
    epoch, shown = begun.data["epoch"], 0
    try:
        while (found := operator.get("/v1/trust", SCOPE))["reissuing"] or found["epoch"] < epoch:
            if found["n"] != shown and not as_json:
                shown = found["n"]
                print(inert(f"re-issuing: epoch {found['epoch']}, n = {shown}"), file=sys.stderr)
            time.sleep(_LOOK_EVERY_S)
        published = begun.data["status"] == "published" or _published(operator, epoch, found["n"])
    except Unreachable as error:
        raise Unreachable(
            str(error), "The list is in force and the re-issue goes on by itself. See: revocast trust show"
        ) from None
    status = "published" if published else "pending"
    headline = f"epoch {epoch} is whole: the live set is re-issued, n = {found['n']}"
    said = [headline if published else f"{headline}; not all of it is on Kafka yet: see `revocast status`"]
    said.append(f"  signs    {begun.data['active']}")
    return Answer(
        {**begun.data, "n": found["n"], "reissuing": False, "status": status},
        lines(*said, style="bold green" if published else "bold yellow"),
        0 if published else PENDING,
    )


def _published(operator: Operator, epoch: int, n: int) -> bool:
    deadline = time.monotonic() + _PUBLISH_S
    while time.monotonic() < deadline:
        try:
            found = operator.get("/v1/status", "revocast:read")
        except Denied:
            return False  # this operator may not know
        if (found["epoch"], found["published_n"]) >= (epoch, n):
            return True
        time.sleep(_LOOK_EVERY_S)
    return False
