"""Scopes that came with a release: what `init` gives the first operator since then, a migration gives it."""

import json
from typing import Any, Final

import sqlalchemy as sa

__all__ = ["give_scope"]

_FIRST_OPERATOR: Final = "operator"


def give_scope(connection: sa.Connection, scope: str) -> None:
    """List it for the issuer's own API, and give it to the first operator. A database without an authority stays as it is."""
    issuer = connection.scalar(sa.text("SELECT issuer FROM deployment"))
    if issuer is None:
        return
    scopes = connection.scalar(
        sa.text("SELECT scopes FROM resource_server WHERE audience = :issuer"), {"issuer": issuer}
    )
    access = connection.scalar(
        sa.text("SELECT access FROM client WHERE client_id = :client_id"), {"client_id": _FIRST_OPERATOR}
    )
    if scopes is not None:
        listed = sorted({*_read(scopes), scope})
        connection.execute(
            sa.text("UPDATE resource_server SET scopes = :scopes WHERE audience = :issuer"),
            {"scopes": json.dumps(listed), "issuer": issuer},
        )
    if access is not None and issuer in (given := _read(access)):
        given[issuer] = sorted({*given[issuer], scope})
        connection.execute(
            sa.text("UPDATE client SET access = :access WHERE client_id = :client_id"),
            {"access": json.dumps(given), "client_id": _FIRST_OPERATOR},
        )


def _read(stored: Any) -> Any:
    # PostgreSQL's driver reads JSON by itself, SQLite's does not.
    return json.loads(stored) if isinstance(stored, str) else stored
