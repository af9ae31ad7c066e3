"""The writing rule: what one record does to the authority's own table.

* A record is made from the locked head and a clock that is read after the lock, so n, prev and t follow commit order.
* Its rows apply in their order, by the one rule of `revocast.schemas.table.step`; what expired at `t` counts as absent.
* A request that leaves every slot as it was writes no record: repeating it costs no reader anything.
"""

from collections.abc import Mapping, Sequence

from revocast.schemas.row import Key, Row
from revocast.schemas.table import step

__all__ = ["changes"]


def changes(held: Mapping[Key, Row], rows: Sequence[Row], t: int) -> dict[Key, Row | None]:
    """The slots that differ after `rows` were applied at `t`, and what they hold then. `held`: the touched slots' rows."""
    before = {key: row for key, row in held.items() if row.expires_at > t}
    after: dict[Key, Row | None] = {}
    for row in rows:
        after[row.key] = step(after.get(row.key, before.get(row.key)), row, t)
    # A row whose time is over by the clock alone stands at every reader until a record drops it: lifting it is such a record.
    lifted = {row.key for row in rows if row.lift}
    return {key: row for key, row in after.items() if row != (held if key in lifted else before).get(key)}
