"""Group commit and files: who asked for which rows of a record that several share; operators may bring files."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_SCOPE = "revocast:revoke-many"
_FIRST_OPERATOR = "operator"


def upgrade() -> None:
    with op.batch_alter_table("log") as log:
        log.add_column(sa.Column("parts", sa.JSON(), nullable=True))
    _give_scope()


def _give_scope() -> None:
    """What `init` gives the first operator by now, it gets here."""
    connection = op.get_bind()
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
        listed = sorted({*_read(scopes), _SCOPE})
        connection.execute(
            sa.text("UPDATE resource_server SET scopes = :scopes WHERE audience = :issuer"),
            {"scopes": json.dumps(listed), "issuer": issuer},
        )
    if access is not None and issuer in (given := _read(access)):
        given[issuer] = sorted({*given[issuer], _SCOPE})
        connection.execute(
            sa.text("UPDATE client SET access = :access WHERE client_id = :client_id"),
            {"access": json.dumps(given), "client_id": _FIRST_OPERATOR},
        )


def _read(stored: Any) -> Any:
    # PostgreSQL's driver reads JSON by itself, SQLite's does not.
    return json.loads(stored) if isinstance(stored, str) else stored


def downgrade() -> None:
    with op.batch_alter_table("log") as log:
        log.drop_column("parts")
