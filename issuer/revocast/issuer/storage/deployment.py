"""The one row that says who this authority is."""

from sqlalchemy import update
from sqlalchemy.orm import Session

from revocast.issuer.authority.terms import Terms
from revocast.issuer.errors import NotInitialized
from revocast.issuer.storage.tables import Deployment
from revocast.schemas.keyset import Lifetime

__all__ = ["load_terms", "save_terms", "take_root_decisions"]

_THE_ROW = 1


def load_terms(session: Session) -> Terms:
    """The terms in force. Raises `NotInitialized`."""
    row = session.get(Deployment, _THE_ROW)
    if row is None:
        raise NotInitialized("the database is empty: run `revocast init` first")
    return Terms(
        issuer=row.issuer,
        root=row.root,
        salt=row.salt,
        leeway=row.leeway,
        claims=tuple(row.claims),
        lifetimes=tuple(Lifetime.model_validate(entry) for entry in row.lifetimes),
        announce_seconds=row.announce_seconds,
        token_lifetime=row.token_lifetime,
        distrusted=row.distrusted,
    )


def save_terms(session: Session, terms: Terms) -> None:
    """Write the terms of a new deployment."""
    session.add(
        Deployment(
            id=_THE_ROW,
            issuer=terms.issuer,
            root=terms.root,
            salt=terms.salt,
            leeway=terms.leeway,
            claims=list(terms.claims),
            lifetimes=[entry.model_dump() for entry in terms.lifetimes],
            announce_seconds=terms.announce_seconds,
            token_lifetime=terms.token_lifetime,
            distrusted=terms.distrusted,
        )
    )


def take_root_decisions(session: Session, root: str, *, distrusted: bool) -> None:
    """From now on only what leads back to `root` is believed: a root that was replaced signs nothing here any more."""
    values = {"root": root, "distrusted": distrusted}
    session.execute(update(Deployment).where(Deployment.id == _THE_ROW).values(values))
