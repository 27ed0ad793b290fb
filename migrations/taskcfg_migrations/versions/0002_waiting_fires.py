"""Fires that wait for their turn are found by an index."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
additive = True

WAITING = sa.text("state = 'waiting'")


def upgrade() -> None:
    op.create_index(
        "ix_schedule_event_waiting",
        "schedule_event",
        ["task_config_id"],
        postgresql_where=WAITING,
        sqlite_where=WAITING,
    )


def downgrade() -> None:
    op.drop_index("ix_schedule_event_waiting", "schedule_event")
