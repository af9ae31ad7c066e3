"""Requests that came at the same time share one record; each is answered as if it had come alone.

* A group is written at one t, in the order of arrival: the table afterwards is the one that a record for each request would
  have left, all of them of that t.
* A request that changes nothing after those before it puts no row into the record, and answers with the newest n.
* What is wrong with a request is its own answer, and changes nothing of the others'.
* A record has rows of several; who asked for which of them, and why, are its parts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from revocast.issuer.authority.log import changes
from revocast.issuer.authority.revocations import Lift, Part, Receipt, Revocation, Written
from revocast.issuer.authority.terms import Terms
from revocast.issuer.errors import IssuerError
from revocast.schemas.errors import SchemaError
from revocast.schemas.record import MAX_ROWS, Position
from revocast.schemas.row import Key, Row

__all__ = ["Group", "Request", "first_of", "merge", "rows_asked_for"]


@dataclass(frozen=True, slots=True)
class Request:
    """What one caller asks for: the lifts, then the revocations."""

    revocations: tuple[Revocation, ...]
    lifts: tuple[Lift, ...]
    actor: str
    reason: str

    @property
    def size(self) -> int:
        """Rows."""
        return len(self.revocations) + len(self.lifts)


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of the shared record of time `t`, none if no record is needed; and the answer to each request, in its place."""

    t: int
    written: tuple[Written, ...]
    parts: tuple[Part, ...]
    answers: tuple[Receipt | Exception, ...]

    @property
    def author(self) -> tuple[str, str]:
        """Actor and reason of the record: theirs if they are the same, or the issuer's own, which put them together."""
        authors = {(part.actor, part.reason) for part in self.parts}
        return (
            authors.pop() if len(authors) == 1 else ("issuer", f"{len(self.parts)} requests at the same time")
        )


def first_of(waiting: Iterable[Request]) -> int:
    """How many of those that wait, from the first on, fit one record; at least one."""
    count = rows = 0
    for request in waiting:
        rows += request.size
        if count and rows > MAX_ROWS:
            break
        count += 1
    return count


def rows_asked_for(
    requests: Sequence[Request], terms: Terms, t: int
) -> list[tuple[Written, ...] | Exception]:
    """The rows of each request in a record of time `t`, or what is wrong with it."""
    found: list[tuple[Written, ...] | Exception] = []
    for request in requests:
        try:
            found.append(tuple(terms.rows(request.revocations, request.lifts, t)))
        except (IssuerError, SchemaError) as error:
            found.append(error)
    return found


def merge(
    requests: Sequence[Request],
    rows: Sequence[tuple[Written, ...] | Exception],
    head: Position,
    held: Mapping[Key, Row],
    t: int,
) -> Group:
    """One record behind `head` for all of them. `rows` are theirs at `t`; `held`: what stands in the slots of these."""
    written: list[Written] = []
    parts: list[Part] = []
    answers: list[Receipt | Exception] = []
    table = dict(held)
    for request, own in zip(requests, rows, strict=True):
        if isinstance(own, Exception):
            answers.append(own)
            continue
        slots = {entry.row.key for entry in own}
        changed = changes({key: table[key] for key in slots & table.keys()}, [entry.row for entry in own], t)
        if changed:
            if not parts:  # the first that changes anything makes a record, which drops what is dead
                table = {key: row for key, row in table.items() if row.expires_at > t}
            for key, row in changed.items():
                if row is None:
                    table.pop(key, None)
                else:
                    table[key] = row
            written += own
            parts.append(Part(len(own), request.actor, request.reason))
        n, at = (head.n + 1, t) if parts else (head.n, head.t)
        answers.append(Receipt(head.epoch, n, at, own, changed=bool(changed)))
    return Group(t, tuple(written), tuple(parts), tuple(answers))
