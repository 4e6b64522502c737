"""Alembic's environment: the connection comes from whoever runs the migration."""

from alembic import context

from bakong_service.storage.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
