"""The first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None
additive = False

instant = sa.BigInteger().with_variant(sa.DateTime(timezone=True), "postgresql")
row_id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
document = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
frozen_document = sa.JSON()

SPEC_COLUMNS = (
    "name",
    "source",
    "type",
    "description",
    "schedule",
    "timezone",
    "params",
    "policy",
    "labels",
    "owner",
    "runbook",
    "enabled",
    "queue",
    "priority",
    "protect",
)

TABLES = (
    "setting",
    "calendar",
    "lease",
    "node",
    "task_pause",
    "source",
    "revision",
    "task_execution",
    "schedule_event",
    "task_config",
)


def upgrade() -> None:
    task_config()
    version_trigger()
    schedule_event()
    task_execution()
    revisions()
    task_pause()
    nodes()
    settings()


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION taskcfg_raise_version()")


def partial_index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    op.create_index(
        name,
        table,
        columns,
        unique=unique,
        postgresql_where=sa.text(where),
        sqlite_where=sa.text(where),
    )


def task_config() -> None:
    op.create_table(
        "task_config",
        sa.Column("id", row_id, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("schedule", document, nullable=False),
        sa.Column("timezone", sa.Text, nullable=False),
        sa.Column("params", document, nullable=False),
        sa.Column("policy", document, nullable=False),
        sa.Column("spec_digest", sa.Text, nullable=False),
        sa.Column("labels", document, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("runbook", sa.Text),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("queue", sa.Text),
        sa.Column("priority", sa.SmallInteger, nullable=False),
        sa.Column("protect", sa.Boolean, nullable=False),
        sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
        sa.Column("applied_version", sa.Integer, nullable=False, server_default=sa.text("1")),
        sa.Column("file", sa.Text),
        sa.Column("line", sa.Integer),
        sa.Column("commit", sa.Text),
        sa.Column("error_reason", sa.Text),
        sa.Column("error_count", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("error_retry_at", instant),
        sa.Column("retired_at", instant),
        sa.Column("next_nominal_at", instant),
        sa.Column("next_fire_at", instant),
        sa.Column("last_nominal_at", instant),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("updated_at", instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_task_config"),
        postgresql_with={"fillfactor": 70},
    )
    partial_index("uq_task_config_live_name", "task_config", ["name"], "retired_at IS NULL", unique=True)
    op.create_index("ix_task_config_source", "task_config", ["source"])
    partial_index("ix_task_config_next_fire_at", "task_config", ["next_fire_at"], "next_fire_at IS NOT NULL")
    partial_index(
        "ix_task_config_error_retry_at", "task_config", ["error_retry_at"], "error_retry_at IS NOT NULL"
    )


def version_trigger() -> None:
    """Raise `version` on any change of a spec column, by whomever."""
    columns = ", ".join(SPEC_COLUMNS)
    if op.get_bind().dialect.name == "postgresql":
        changed = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in SPEC_COLUMNS)
        op.execute(
            "CREATE FUNCTION taskcfg_raise_version() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN NEW.version := OLD.version + 1; RETURN NEW; END $$"
        )
        op.execute(
            f"CREATE TRIGGER task_config_version BEFORE UPDATE OF {columns} ON task_config"
            f" FOR EACH ROW WHEN ({changed}) EXECUTE FUNCTION taskcfg_raise_version()"
        )
    else:
        changed = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in SPEC_COLUMNS)
        op.execute(
            f"CREATE TRIGGER task_config_version AFTER UPDATE OF {columns} ON task_config"
            f" FOR EACH ROW WHEN {changed} BEGIN"
            " UPDATE task_config SET version = OLD.version + 1 WHERE id = NEW.id; END"
        )


def schedule_event() -> None:
    op.create_table(
        "schedule_event",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("task_config_id", row_id, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("dedupe_key", sa.Text, nullable=False),
        sa.Column("nominal_at", instant, nullable=False),
        sa.Column("fire_at", instant, nullable=False),
        sa.Column("config_version", sa.Integer, nullable=False),
        sa.Column("message", frozen_document),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("node_id", sa.Uuid),
        sa.Column("epoch", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("dispatch_no", sa.Integer, nullable=False, server_default=sa.text("1")),
        sa.Column("celery_id", sa.Uuid),
        sa.Column("publish_attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("attempts_before", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("lost_count", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("next_attempt_at", instant),
        sa.Column("expires_at", instant),
        sa.Column("cancel_requested_at", instant),
        sa.Column("requested_by", sa.Text),
        sa.Column("span_end", instant),
        sa.Column("span_count", sa.Integer),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("published_at", instant),
        sa.Column("done_at", instant),
        sa.PrimaryKeyConstraint("id", name="pk_schedule_event"),
        sa.ForeignKeyConstraint(
            ["task_config_id"],
            ["task_config.id"],
            name="fk_schedule_event_task_config_id",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint(
            "task_config_id", "dedupe_key", name="uq_schedule_event_task_config_id_dedupe_key"
        ),
        postgresql_with={
            "fillfactor": 80,
            "autovacuum_vacuum_scale_factor": 0.02,
            "autovacuum_analyze_scale_factor": 0.02,
        },
    )
    partial_index("ix_schedule_event_pending", "schedule_event", ["fire_at"], "state = 'pending'")
    partial_index("ix_schedule_event_published", "schedule_event", ["published_at"], "state = 'published'")
    partial_index(
        "ix_schedule_event_live",
        "schedule_event",
        ["task_config_id"],
        "state IN ('pending', 'waiting', 'published')",
    )
    partial_index(
        "ix_schedule_event_expires_at",
        "schedule_event",
        ["expires_at"],
        "expires_at IS NOT NULL AND state IN ('pending', 'waiting', 'published')",
    )
    op.create_index("ix_schedule_event_task_time", "schedule_event", ["task_config_id", "created_at"])


def task_execution() -> None:
    op.create_table(
        "task_execution",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("task_config_id", row_id, nullable=False),
        sa.Column("schedule_event_id", sa.Uuid, nullable=False),
        sa.Column("dispatch_no", sa.Integer, nullable=False),
        sa.Column("celery_retry", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("celery_id", sa.Uuid, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("worker", sa.Text),
        sa.Column("boot_id", sa.Uuid),
        sa.Column("queued_at", instant),
        sa.Column("started_at", instant, nullable=False),
        sa.Column("finished_at", instant),
        sa.Column("deadline_at", instant),
        sa.Column("result", frozen_document),
        sa.Column("error", sa.Text),
        sa.Column("traceback", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_task_execution"),
        sa.ForeignKeyConstraint(
            ["task_config_id"],
            ["task_config.id"],
            name="fk_task_execution_task_config_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["schedule_event_id"],
            ["schedule_event.id"],
            name="fk_task_execution_schedule_event_id",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint(
            "schedule_event_id",
            "dispatch_no",
            "celery_retry",
            name="uq_task_execution_schedule_event_id_dispatch_no_celery_retry",
        ),
    )
    partial_index("ix_task_execution_running", "task_execution", ["boot_id"], "state = 'running'")
    op.create_index("ix_task_execution_task_time", "task_execution", ["task_config_id", "started_at"])
    op.create_index("ix_task_execution_started_at", "task_execution", ["started_at"])


def revisions() -> None:
    op.create_table(
        "revision",
        sa.Column("id", row_id, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("commit", sa.Text),
        sa.Column("author", sa.Text),
        sa.Column("subject", sa.Text),
        sa.Column("dirty", sa.Boolean),
        sa.Column("files_digest", sa.Text),
        sa.Column("summary", document, nullable=False),
        sa.Column("changes", document, nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_revision"),
    )
    op.create_index("ix_revision_source", "revision", ["source", "id"])
    op.create_table(
        "source",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("repo", sa.Text),
        sa.Column("folder", sa.Text),
        sa.Column("revision", row_id),
        sa.Column("commit", sa.Text),
        sa.Column("dirty", sa.Boolean),
        sa.Column("files_digest", sa.Text),
        sa.Column("applied_at", instant),
        sa.Column("checked_at", instant),
        sa.Column("in_sync", sa.Boolean),
        sa.Column("problems", document, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_source"),
        sa.ForeignKeyConstraint(["revision"], ["revision.id"], name="fk_source_revision"),
    )


def task_pause() -> None:
    op.create_table(
        "task_pause",
        sa.Column("task_config_id", row_id, nullable=False),
        sa.Column("paused_by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("since", instant, nullable=False),
        sa.Column("until", instant),
        sa.Column("missed", sa.Text, nullable=False, server_default=sa.text("'none'")),
        sa.PrimaryKeyConstraint("task_config_id", name="pk_task_pause"),
        sa.ForeignKeyConstraint(
            ["task_config_id"], ["task_config.id"], name="fk_task_pause_task_config_id", ondelete="CASCADE"
        ),
    )


def nodes() -> None:
    op.create_table(
        "node",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("queues", document),
        sa.Column("started_at", instant, nullable=False),
        sa.Column("renewed_at", instant, nullable=False),
        sa.Column("expires_at", instant, nullable=False),
        sa.Column("ended_at", instant),
        sa.PrimaryKeyConstraint("id", name="pk_node"),
    )
    op.create_index("ix_node_kind", "node", ["kind", "expires_at"])
    op.create_table(
        "lease",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("holder", sa.Uuid, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("expires_at", instant, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_lease"),
    )


def settings() -> None:
    op.create_table(
        "calendar",
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("document", document, nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_calendar"),
    )
    op.create_table(
        "setting",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_setting"),
    )
