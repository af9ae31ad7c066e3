"""Epochs: where the live set was closed and how far it is re-issued; who signed what; distrust; operators may change trust."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_SCOPE = "revocast:trust"
_FIRST_OPERATOR = "operator"


def upgrade() -> None:
    with op.batch_alter_table("deployment") as deployment:
        deployment.add_column(
            sa.Column("distrusted", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    with op.batch_alter_table("head") as head:
        head.add_column(sa.Column("live_set_n", sa.BigInteger(), nullable=True))
        head.add_column(sa.Column("reissued", sa.LargeBinary(), nullable=True))
    # Until now there was epoch 1 alone, whose live set is empty and closed by record 1.
    op.execute("UPDATE head SET live_set_n = 1")
    with op.batch_alter_table("live_row") as live_row:
        live_row.add_column(sa.Column("epoch", sa.BigInteger(), nullable=False, server_default="1"))
        live_row.drop_index("ix_live_row_n")
        live_row.create_index("ix_live_row_epoch", ["epoch", "n"])
    op.create_index("ix_log_kid", "log", ["kid", "epoch", "n"])
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
    op.drop_index("ix_log_kid", "log")
    with op.batch_alter_table("live_row") as live_row:
        live_row.drop_index("ix_live_row_epoch")
        live_row.create_index("ix_live_row_n", ["n"])
        live_row.drop_column("epoch")
    with op.batch_alter_table("head") as head:
        head.drop_column("reissued")
        head.drop_column("live_set_n")
    with op.batch_alter_table("deployment") as deployment:
        deployment.drop_column("distrusted")
