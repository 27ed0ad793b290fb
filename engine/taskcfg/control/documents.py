"""The JSON shapes of results, the same for the command line and the REST API.

Instants are RFC 3339 in UTC, durations seconds, ids strings; unknown is null, lists never are.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from taskcfg.problems import Position, Problem
from taskcfg.reconcile.past import Recorded, changed_fields
from taskcfg.spec.instants import rfc3339
from taskcfg.spec.schedule import schedule_document

if TYPE_CHECKING:
    from taskcfg.store.history import ExecutionRow, FireRow
    from taskcfg.store.nodes import NodeRow
    from taskcfg.store.past import RevisionRow
    from taskcfg.store.revisions import SourceRow
    from taskcfg.store.task_list import TaskRow


def problem_document(problem: Problem) -> dict[str, Any]:
    """Return *problem* as `validate` shows it; an unknown line or column is null."""
    return {
        **_place(problem.position),
        "task": problem.task,
        "field": problem.field,
        "message": problem.message,
        "hint": problem.hint,
        "severity": problem.severity.value,
        "also": _place(problem.also) if problem.also else None,
    }


def task_document(task: TaskRow) -> dict[str, Any]:
    """Return *task* as `list` shows it. What stands in a row that cannot be read is null."""
    spec, pause = task.spec, task.pause
    return {
        "name": task.name,
        "type": task.type,
        "schedule": schedule_document(spec.schedule) if spec else None,
        "timezone": spec.timezone if spec else None,
        "enabled": task.enabled,
        "state": task.state.value,
        "source": task.source,
        "queue": spec.queue if spec else None,
        "labels": dict(spec.labels) if spec else {},
        "next_nominal_at": _instant(task.next_nominal_at),
        "next_fire_at": _instant(task.next_fire_at),
        "last_nominal_at": _instant(task.last_nominal_at),
        "last_state": last_state(task),
        "paused": None
        if pause is None
        else {"by": pause.by, "reason": pause.reason, "until": _instant(pause.until)},
    }


def task_details(task: TaskRow) -> dict[str, Any]:
    """Return *task* as `show` shows it."""
    return {
        **task_document(task),
        "description": task.spec.description if task.spec else None,
        "spec": task.spec.document() if task.spec else None,
        "file": task.file,
        "line": task.line,
        "commit": task.commit,
        "version": task.version,
        "error": task.error,
    }


def last_state(task: TaskRow) -> str | None:
    """Return how the task's newest execution stands; before there is one, its newest fire."""
    return task.last_execution_state or task.last_fire_state


def fire_document(fire: FireRow) -> dict[str, Any]:
    """Return *fire* as `events` shows it."""
    return {
        "id": str(fire.id),
        "task": fire.task,
        "kind": fire.kind,
        "nominal_at": _instant(fire.nominal_at),
        "fire_at": _instant(fire.fire_at),
        "state": fire.state,
        "reason": fire.reason,
        "celery_id": _text(fire.celery_id),
        "attempts": fire.attempts,
        "created_at": _instant(fire.created_at),
        "published_at": _instant(fire.published_at),
        "requested_by": fire.requested_by,
        "span_end": _instant(fire.span_end),
        "span_count": fire.span_count,
    }


def execution_document(execution: ExecutionRow) -> dict[str, Any]:
    """Return *execution* as `history` shows it."""
    return {
        "id": str(execution.id),
        "event_id": str(execution.event_id),
        "task": execution.task,
        "celery_id": str(execution.celery_id),
        "attempt": execution.attempt,
        "state": execution.state,
        "worker": execution.worker,
        "queued_at": _instant(execution.queued_at),
        "started_at": _instant(execution.started_at),
        "finished_at": _instant(execution.finished_at),
        "duration": execution.duration,
        "result": execution.result,
        "error": execution.error,
        "traceback": execution.traceback,
    }


def requested_document(fire: FireRow, execution: ExecutionRow | None) -> dict[str, Any]:
    """Return a fire and its newest attempt as `run` shows them."""
    return {
        "id": str(fire.id),
        "task": fire.task,
        "celery_id": _text(fire.celery_id),
        "state": fire.state,
        "execution": execution_document(execution) if execution else None,
    }


def source_document(source: SourceRow) -> dict[str, Any]:
    return {
        "name": source.name,
        "revision": source.revision,
        "commit": source.commit,
        "applied_at": _instant(source.applied_at),
        "in_sync": source.in_sync,
        "problems": list(source.problems),
    }


def scheduler_document(node: NodeRow) -> dict[str, Any]:
    return {
        "id": str(node.id),
        "host": node.host,
        "pid": node.pid,
        "alive": node.alive,
        "last_seen": _instant(node.renewed_at),
        "version": node.version,
    }


def worker_document(node: NodeRow) -> dict[str, Any]:
    return {**scheduler_document(node), "name": node.name, "queues": list(node.queues or ())}


def _place(position: Position) -> dict[str, Any]:
    return {"file": position.file, "line": position.line or None, "column": position.column or None}


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else rfc3339(instant)


def _text(id_: UUID | None) -> str | None:
    return None if id_ is None else str(id_)


def revision_document(row: RevisionRow) -> dict[str, Any]:
    """Return an applied plan as `revisions` shows it."""
    return {
        "revision": row.number,
        "source": row.source,
        "applied_at": rfc3339(row.applied_at),
        "actor": row.actor,
        "reason": row.reason,
        "commit": row.commit,
        "author": row.author,
        "subject": row.subject,
        "dirty": row.dirty,
        "summary": dict(row.summary),
    }


def recorded_document(change: Recorded) -> dict[str, Any]:
    """Return what an applied plan did to one task, under the keys of a plan."""
    fields = changed_fields(change)
    actions = [change["action"]]
    if change["action"] == "rename" and fields:
        actions.append("update")
    return {
        "address": change["name"],
        "previous_address": change.get("previous"),
        "change": {"actions": actions, "before": change["before"], "after": change["after"]},
        "fields": [{"field": each.path, "before": each.before, "after": each.after} for each in fields],
    }
