"""Alembic's environment. The caller of the migration passes the connection."""

from alembic import context

from bakong_service.storage.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
