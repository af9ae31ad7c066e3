"""How many revocations and lifts one operator may write: every row costs every service of the fleet memory, for hours or
for ever, so the account of one operator, stolen, must not be able to write millions.

* A budget is of one client, in this process: whoever uses up his own hinders nobody else's.
* It is for junk, not for emergencies: the revocation of a key is not counted, and the default is more than hands ever need.
* Files have a scope and a budget of their own, in rows: few may bring them, and what changes nothing is free.
* Who is refused is told when to come again (RFC 6585 §4), audited, counted, and a warning in the status.
"""

import math
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Final, Self

from revocast.issuer.authority.token_bucket import TokenBucket
from revocast.issuer.clock import Clock
from revocast.issuer.operators.problem import Problem

__all__ = ["Budget", "Budgets"]

_PERIOD_S: Final = 86_400


class Budget:
    """`units` at once, and as many again over a day, for each client. `words`: what is counted; `setting` raises it."""

    def __init__(self, units: int, clock: Clock, *, words: str, setting: str) -> None:
        self._units = units
        self._clock = clock
        self._words = words
        self._setting = setting
        self._buckets: dict[str, TokenBucket] = {}
        self._lock = threading.Lock()
        self.refused: Counter[str] = Counter()
        """What was refused, by client."""

    def spend(self, client_id: str, units: int = 1) -> None:
        """Count them. Raises `Problem`: 429 with `Retry-After`."""
        with self._lock:
            now = self._clock()
            bucket = self._buckets.get(client_id)
            if bucket is None:
                bucket = self._buckets[client_id] = TokenBucket(self._units, self._units / _PERIOD_S, now)
            wait = bucket.take(now, units)
            if wait:
                self.refused[client_id] += 1
        if wait:
            raise Problem(
                429,
                "too_many_writes",
                f"This operator has written {self._units} {self._words} within a day. Other operators are not "
                f"affected, nor is the revocation of keys. {self._setting} raises it.",
                headers={"Retry-After": str(math.ceil(wait))},
            )

    def warnings(self) -> list[str]:
        """A sentence for each operator that was refused: its account may be stolen."""
        with self._lock:
            return [
                f"operator {client_id} had {count} writes refused, its budget of {self._words} was used up: is its "
                "account stolen?"
                for client_id, count in self.refused.items()
            ]


@dataclass(frozen=True, slots=True)
class Budgets:
    """Single writes, and rows of files: who uses up the one still has the other."""

    writes: Budget
    rows: Budget

    @classmethod
    def of(cls, writes: int, rows: int, clock: Clock) -> Self:
        """As the settings have them."""
        return cls(
            Budget(writes, clock, words="revocations and lifts", setting="REVOCAST_OPERATOR_WRITES"),
            Budget(rows, clock, words="rows of files", setting="REVOCAST_OPERATOR_ROWS"),
        )

    def warnings(self) -> list[str]:
        """Of both."""
        return self.writes.warnings() + self.rows.warnings()
