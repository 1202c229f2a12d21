"""Alembic's environment: migrates on the connection `infera.state.migrate` hands over."""

from alembic import context

from infera.state.tables import metadata

connection = context.config.attributes.get("connection")
if connection is None:
    raise RuntimeError("migrations run when a node starts; there is nothing to call by hand")
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
