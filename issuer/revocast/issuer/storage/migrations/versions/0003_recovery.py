"""Recovery: where the log begins on its topic, and what was joined in from another authority's records."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("publication") as publication:
        publication.add_column(sa.Column("first_offset", sa.BigInteger(), nullable=True))
    op.create_table(
        "foreign_record",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_foreign_record")),
    )


def downgrade() -> None:
    op.drop_table("foreign_record")
    with op.batch_alter_table("publication") as publication:
        publication.drop_column("first_offset")
