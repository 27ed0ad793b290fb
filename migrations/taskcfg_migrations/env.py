"""How Alembic reaches the database: by the connection it is given, inside its transaction."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="taskcfg_schema",
)
with context.begin_transaction():
    context.run_migrations()
