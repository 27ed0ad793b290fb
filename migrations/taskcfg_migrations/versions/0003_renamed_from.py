"""A task remembers the name it had before its last rename, and a scheduler says which source it follows."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
additive = True


def upgrade() -> None:
    op.add_column("task_config", sa.Column("renamed_from", sa.Text()))
    op.add_column("node", sa.Column("follows", sa.Text()))


def downgrade() -> None:
    op.drop_column("node", "follows")
    op.drop_column("task_config", "renamed_from")
