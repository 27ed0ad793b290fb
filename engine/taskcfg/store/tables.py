"""All tables, as SQLAlchemy Core. The migrations build the same; a test compares them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from taskcfg.store.columns import Document, FrozenDocument, FrozenObject, Instant

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

RowId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite gives out numbers only for a column of type INTEGER."""

SPEC_COLUMNS = (
    "name", "source", "type", "description", "schedule", "timezone", "params", "policy", "labels", "owner",
    "runbook", "enabled", "queue", "priority", "protect",
)  # fmt: skip
"""A change to one of these, by whomever, raises `version` (a trigger sees to it)."""

task_config = Table(
    "task_config",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("name", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("description", Text),
    Column("schedule", Document, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("params", Document, nullable=False),
    Column("policy", Document, nullable=False),
    Column("spec_digest", Text, nullable=False),
    Column("labels", Document, nullable=False),
    Column("owner", Text),
    Column("runbook", Text),
    Column("enabled", Boolean, nullable=False),
    Column("queue", Text),
    Column("priority", SmallInteger, nullable=False),
    Column("protect", Boolean, nullable=False),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("applied_version", Integer, nullable=False, server_default=text("1")),
    Column("file", Text),
    Column("line", Integer),
    Column("commit", Text),
    Column("error_reason", Text),
    Column("error_count", Integer, nullable=False, server_default=text("0")),
    Column("error_retry_at", Instant),
    Column("retired_at", Instant),
    Column("next_nominal_at", Instant),
    Column("next_fire_at", Instant),
    Column("last_nominal_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("renamed_from", Text),
    postgresql_with={"fillfactor": 70},
)
_live_name = text("retired_at IS NULL")
Index(
    "uq_task_config_live_name",
    task_config.c.name,
    unique=True,
    postgresql_where=_live_name,
    sqlite_where=_live_name,
)
Index("ix_task_config_source", task_config.c.source)
_due = text("next_fire_at IS NOT NULL")
Index("ix_task_config_next_fire_at", task_config.c.next_fire_at, postgresql_where=_due, sqlite_where=_due)
_failing = text("error_retry_at IS NOT NULL")
Index(
    "ix_task_config_error_retry_at",
    task_config.c.error_retry_at,
    postgresql_where=_failing,
    sqlite_where=_failing,
)

schedule_event = Table(
    "schedule_event",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("task_config_id", RowId, ForeignKey("task_config.id", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("dedupe_key", Text, nullable=False),
    Column("nominal_at", Instant, nullable=False),
    Column("fire_at", Instant, nullable=False),
    Column("config_version", Integer, nullable=False),
    Column("message", FrozenObject()),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("node_id", Uuid),
    Column("epoch", Integer, nullable=False, server_default=text("0")),
    Column("dispatch_no", Integer, nullable=False, server_default=text("1")),
    Column("celery_id", Uuid),
    Column("publish_attempts", Integer, nullable=False, server_default=text("0")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("attempts_before", Integer, nullable=False, server_default=text("0")),
    Column("lost_count", Integer, nullable=False, server_default=text("0")),
    Column("next_attempt_at", Instant),
    Column("expires_at", Instant),
    Column("cancel_requested_at", Instant),
    Column("requested_by", Text),
    Column("span_end", Instant),
    Column("span_count", Integer),
    Column("created_at", Instant, nullable=False),
    Column("published_at", Instant),
    Column("done_at", Instant),
    UniqueConstraint("task_config_id", "dedupe_key"),
    postgresql_with={
        "fillfactor": 80,
        "autovacuum_vacuum_scale_factor": 0.02,
        "autovacuum_analyze_scale_factor": 0.02,
    },
)
_pending = text("state = 'pending'")
Index("ix_schedule_event_pending", schedule_event.c.fire_at, postgresql_where=_pending, sqlite_where=_pending)
_published = text("state = 'published'")
Index(
    "ix_schedule_event_published",
    schedule_event.c.published_at,
    postgresql_where=_published,
    sqlite_where=_published,
)
_waiting = text("state = 'waiting'")
Index(
    "ix_schedule_event_waiting",
    schedule_event.c.task_config_id,
    postgresql_where=_waiting,
    sqlite_where=_waiting,
)
_live = text("state IN ('pending', 'waiting', 'published')")
Index("ix_schedule_event_live", schedule_event.c.task_config_id, postgresql_where=_live, sqlite_where=_live)
_expiring = text("expires_at IS NOT NULL AND state IN ('pending', 'waiting', 'published')")
Index(
    "ix_schedule_event_expires_at",
    schedule_event.c.expires_at,
    postgresql_where=_expiring,
    sqlite_where=_expiring,
)
Index("ix_schedule_event_task_time", schedule_event.c.task_config_id, schedule_event.c.created_at)

task_execution = Table(
    "task_execution",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("task_config_id", RowId, ForeignKey("task_config.id", ondelete="CASCADE"), nullable=False),
    Column("schedule_event_id", Uuid, ForeignKey("schedule_event.id", ondelete="CASCADE"), nullable=False),
    Column("dispatch_no", Integer, nullable=False),
    Column("celery_retry", Integer, nullable=False, server_default=text("0")),
    Column("attempt", Integer, nullable=False),
    Column("celery_id", Uuid, nullable=False),
    Column("state", Text, nullable=False),
    Column("worker", Text),
    Column("boot_id", Uuid),
    Column("queued_at", Instant),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("deadline_at", Instant),
    Column("result", FrozenDocument),
    Column("error", Text),
    Column("traceback", Text),
    UniqueConstraint("schedule_event_id", "dispatch_no", "celery_retry"),
)
_running = text("state = 'running'")
Index("ix_task_execution_running", task_execution.c.boot_id, postgresql_where=_running, sqlite_where=_running)
Index("ix_task_execution_task_time", task_execution.c.task_config_id, task_execution.c.started_at)
Index("ix_task_execution_started_at", task_execution.c.started_at)

revision = Table(
    "revision",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("source", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text),
    Column("commit", Text),
    Column("author", Text),
    Column("subject", Text),
    Column("dirty", Boolean),
    Column("files_digest", Text),
    Column("summary", Document, nullable=False),
    Column("changes", Document, nullable=False),
    Column("created_at", Instant, nullable=False),
)
Index("ix_revision_source", revision.c.source, revision.c.id)

source = Table(
    "source",
    metadata,
    Column("name", Text, primary_key=True),
    Column("repo", Text),
    Column("folder", Text),
    Column("revision", RowId, ForeignKey("revision.id")),
    Column("commit", Text),
    Column("dirty", Boolean),
    Column("files_digest", Text),
    Column("applied_at", Instant),
    Column("checked_at", Instant),
    Column("in_sync", Boolean),
    Column("problems", Document, nullable=False),
)

task_pause = Table(
    "task_pause",
    metadata,
    Column("task_config_id", RowId, ForeignKey("task_config.id", ondelete="CASCADE"), primary_key=True),
    Column("paused_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("until", Instant),
    Column("missed", Text, nullable=False, server_default=text("'none'")),
)

node = Table(
    "node",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("queues", Document),
    Column("started_at", Instant, nullable=False),
    Column("renewed_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("follows", Text),
)
Index("ix_node_kind", node.c.kind, node.c.expires_at)

lease = Table(
    "lease",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Uuid, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

calendar = Table(
    "calendar",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("document", Document, nullable=False),
    Column("created_at", Instant, nullable=False),
)

setting = Table(
    "setting",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
