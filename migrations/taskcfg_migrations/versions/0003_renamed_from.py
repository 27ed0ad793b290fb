"""A task remembers the name it had before, a recorded change its row, and a scheduler what it follows."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
additive = True

_document = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_task = sa.table("task_config", sa.column("id"), sa.column("source"), sa.column("name"))
_revision = sa.table("revision", sa.column("id"), sa.column("source"), sa.column("changes", _document))


def upgrade() -> None:
    op.add_column("task_config", sa.Column("renamed_from", sa.Text()))
    op.add_column("node", sa.Column("follows", sa.Text()))
    _note_rows(op.get_bind())


def downgrade() -> None:
    op.drop_column("node", "follows")
    op.drop_column("task_config", "renamed_from")


def _note_rows(connection: sa.Connection) -> None:
    """Note in every recorded change the id of its row. Until here a row kept its source and name for good."""
    rows = {(row.source, row.name): row.id for row in connection.execute(sa.select(_task))}
    for number, source, changes in connection.execute(sa.select(_revision)).all():
        noted = [_noted(change, rows.get((source, change["name"]))) for change in changes]
        update = sa.update(_revision).where(_revision.c.id == number)
        connection.execute(update.values(changes=noted))


def _noted(change: dict[str, Any], row: int | None) -> dict[str, Any]:
    return change if row is None else {**change, "id": row}
