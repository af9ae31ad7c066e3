"""Run migrations on the connection, and in the transaction, that `Storage.migrate` opened."""

from alembic import context

from revocast.issuer.storage.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,
    render_as_batch=True,  # SQLite alters a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
