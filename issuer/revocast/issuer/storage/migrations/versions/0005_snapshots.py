"""Snapshots: the cuts, and where the log begins since it was truncated."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "snapshot",
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("n", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("t", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("epoch", "n", name=op.f("pk_snapshot")),
    )
    snapshotting = op.create_table(
        "snapshotting",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("oldest_epoch", sa.BigInteger(), nullable=False),
        sa.Column("oldest_n", sa.BigInteger(), nullable=False),
        sa.Column("asked", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_snapshotting")),
    )
    op.bulk_insert(snapshotting, [{"id": 1, "oldest_epoch": 0, "oldest_n": 1, "asked": False}])


def downgrade() -> None:
    op.drop_table("snapshotting")
    op.drop_table("snapshot")
