"""Group commit and files: who asked for which rows of a record that several share; operators may bring files."""

import sqlalchemy as sa
from alembic import op

from revocast.issuer.storage.migrations.scopes import give_scope

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("log") as log:
        log.add_column(sa.Column("parts", sa.JSON(), nullable=True))
    give_scope(op.get_bind(), "revocast:revoke-many")


def downgrade() -> None:
    with op.batch_alter_table("log") as log:
        log.drop_column("parts")
