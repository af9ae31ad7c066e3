"""Epochs: where the live set was closed and how far it is re-issued; who signed what; distrust; operators may change trust."""

import sqlalchemy as sa
from alembic import op

from revocast.issuer.storage.migrations.scopes import give_scope

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


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
    give_scope(op.get_bind(), "revocast:trust")


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
