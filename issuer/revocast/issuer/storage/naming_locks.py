"""Who ends something holds its name alone; who mints holds all names of the token together with other minters.

So a token is minted either before the cutoff's clock is read, and is then refused, or after the cutoff can be seen. SQLite
has one writer at a time and needs no such lock.
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Integer, bindparam, func, select
from sqlalchemy.orm import Session

__all__ = ["hold_names"]

_CLASS: Final = 0x6E616D65  # "name"
_STRIPES: Final = 64
_STRIPE: Final = bindparam("stripe", type_=Integer)


def hold_names(session: Session, fingerprints: Iterable[bytes], *, share: bool = False) -> None:
    """Hold these names until the transaction ends. Take them before any row: always in one order, none can deadlock."""
    if session.get_bind().dialect.name != "postgresql":
        return
    lock = func.pg_advisory_xact_lock_shared if share else func.pg_advisory_xact_lock
    # Names share few locks, for the server has few: those of one stripe wait for each other, as long as a commit takes.
    for stripe in sorted({fingerprint[0] % _STRIPES for fingerprint in fingerprints}):
        session.execute(select(lock(_CLASS, _STRIPE)), {"stripe": stripe})
