"""Who ends something holds its name alone; who mints holds all names of the token together with other minters.

So a token is minted either before the cutoff's clock is read, and is then refused, or after the cutoff can be seen. SQLite
has one writer at a time and needs no such lock.
"""

from collections.abc import Iterable

from sqlalchemy import BigInteger, bindparam, func, select
from sqlalchemy.orm import Session

__all__ = ["hold_names"]

_KEY = bindparam("key", type_=BigInteger)


def hold_names(session: Session, fingerprints: Iterable[bytes], *, share: bool = False) -> None:
    """Hold these names until the transaction ends. Take them before any row: always in one order, none can deadlock."""
    if session.get_bind().dialect.name != "postgresql":
        return
    lock = func.pg_advisory_xact_lock_shared if share else func.pg_advisory_xact_lock
    # Eight of the eleven bytes: two names that share them only wait for each other.
    for key in sorted({int.from_bytes(fingerprint[:8], signed=True) for fingerprint in fingerprints}):
        session.execute(select(lock(_KEY)), {"key": key})
