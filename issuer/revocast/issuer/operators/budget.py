"""How many revocations and lifts one operator may write: every row costs every service of the fleet memory, for hours or
for ever, so the account of one operator, stolen, must not be able to write millions.

* A budget is of one client, in this process: whoever uses up his own hinders nobody else's.
* It is for junk, not for emergencies: the revocation of a key is not counted, and the default is more than hands ever need.
* Who is refused is told when to come again (RFC 6585 §4), audited, counted, and a warning in the status.
"""

import math
import threading
from collections import Counter
from typing import Final

from revocast.issuer.authority.token_bucket import TokenBucket
from revocast.issuer.clock import Clock
from revocast.issuer.operators.problem import Problem

__all__ = ["WriteBudget"]

_PERIOD_S: Final = 86_400


class WriteBudget:
    """`writes` at once, and as many again over a day, for each client."""

    def __init__(self, writes: int, clock: Clock) -> None:
        self._writes = writes
        self._clock = clock
        self._buckets: dict[str, TokenBucket] = {}
        self._lock = threading.Lock()
        self.refused: Counter[str] = Counter()
        """Writes that were refused, by client."""

    def spend(self, client_id: str) -> None:
        """Count one write. Raises `Problem`: 429 with `Retry-After`."""
        with self._lock:
            now = self._clock()
            bucket = self._buckets.get(client_id)
            if bucket is None:
                bucket = self._buckets[client_id] = TokenBucket(self._writes, self._writes / _PERIOD_S, now)
            wait = bucket.take(now)
            if wait:
                self.refused[client_id] += 1
        if wait:
            raise Problem(
                429,
                "too_many_writes",
                f"This operator has written {self._writes} revocations and lifts within a day. Other operators are not "
                "affected, nor is the revocation of keys. REVOCAST_OPERATOR_WRITES raises it.",
                headers={"Retry-After": str(math.ceil(wait))},
            )

    def warnings(self) -> list[str]:
        """A sentence for each operator that was refused: its account may be stolen."""
        with self._lock:
            return [
                f"operator {client_id} had {count} writes refused, its budget was used up: is its account stolen?"
                for client_id, count in self.refused.items()
            ]
