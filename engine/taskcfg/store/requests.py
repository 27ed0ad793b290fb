"""Fires that somebody asks for."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from taskcfg.errors import RetiredTask, TaskcfgError, UnknownTask
from taskcfg.failpoints import failpoint
from taskcfg.spec.fires import EventKind, EventState, celery_id, manual_key, message_of
from taskcfg.spec.overlap import Live, Waits, admit
from taskcfg.spec.task import TaskSpec
from taskcfg.store.bulk import among, insert_new_rows
from taskcfg.store.calendars import with_calendars
from taskcfg.store.database import database_time
from taskcfg.store.hints import notify
from taskcfg.store.history import FireRow, fires_by_id
from taskcfg.store.ids import new_id
from taskcfg.store.live_fires import counts, live_fires
from taskcfg.store.settings_table import database_uuid
from taskcfg.store.spec_columns import SPEC_SELECTION, UNREADABLE, spec_of
from taskcfg.store.tables import schedule_event, task_config
from taskcfg.store.turns import replacing, take_turns_of

_c = task_config.c
_e = schedule_event.c


@dataclass(frozen=True, slots=True)
class Runnable:
    """A task that may be run by hand. `params`, already validated, stand in for the spec's own."""

    id: int
    spec: TaskSpec
    version: int
    params: Mapping[str, Any] | None = None


def runnable(connection: Connection, names: Sequence[str]) -> list[Runnable]:
    """Return the tasks *names*, in that order, locked against being deleted meanwhile.

    A paused or disabled task may be run. Raises UnknownTask and RetiredTask, for the first name
    that may not.
    """
    query = select(*SPEC_SELECTION).where(_c.retired_at.is_(None), among(connection, _c.name, names))
    locking = query.order_by(_c.id).with_for_update(of=task_config, key_share=True)
    rows = {row.name: row for row in with_calendars(connection, connection.execute(locking))}
    found = []
    for name in dict.fromkeys(names):
        if name not in rows:
            raise _missing(connection, name)
        try:
            found.append(Runnable(rows[name].id, spec_of(rows[name]), rows[name].version))
        except UNREADABLE as error:
            raise TaskcfgError(
                f"the row of task `{name}` cannot be read: {error}", hint="run `taskcfg apply` to mend it"
            ) from error
    return found


def request_run(
    connection: Connection, tasks: Sequence[Runnable], *, actor: str, request_id: str
) -> list[FireRow]:
    """Record one fire for each of *tasks*, due now, and return them in the same order.

    Nobody owns them, so any relay takes them; what the task's overlap has wait goes when its turn
    comes. The same *request_id* again gives the same fires, and replaces nothing again.
    """
    now, database_id = database_time(connection), database_uuid(connection)
    key = manual_key(request_id)
    live = live_fires(connection, [task.id for task in tasks if counts(task.spec.policy.overlap)])
    rows = []
    for task in tasks:
        waits = admit(task.spec.policy.overlap, live.get(task.id, Live()), scheduled=False)
        expires = task.spec.policy.expires
        rows.append(
            {
                "id": new_id(now),
                "task_config_id": task.id,
                "config_version": task.version,
                "message": message_of(task.spec, task.params),
                "celery_id": celery_id(database_id, task.id, key, 1),
                "expires_at": None if expires is None else now + expires,
                "state": (EventState.WAITING if isinstance(waits, Waits) else EventState.PENDING).value,
                "reason": waits.reason if isinstance(waits, Waits) else None,
            }
        )
    shared = {
        "kind": EventKind.MANUAL.value,
        "dedupe_key": key,
        "nominal_at": now,
        "fire_at": now,
        "created_at": now,
        "requested_by": actor,
    }
    insert_new_rows(connection, schedule_event, rows, shared=shared)
    take_turns_of(connection, replacing({task.id: task.spec.policy.overlap for task in tasks}))
    failpoint("run.before_commit")
    notify(connection)
    return _requested(connection, tasks, key)


def _requested(connection: Connection, tasks: Sequence[Runnable], key: str) -> list[FireRow]:
    ids = connection.scalars(
        select(_e.id).where(_e.dedupe_key == key, among(connection, _e.task_config_id, [t.id for t in tasks]))
    )
    by_name = {fire.task: fire for fire in fires_by_id(connection, ids.all())}
    return [by_name[task.spec.name] for task in tasks]


def _missing(connection: Connection, name: str) -> TaskcfgError:
    names = connection.execute(select(_c.name, _c.retired_at.is_(None).label("live"))).all()
    if any(row.name == name for row in names):
        return RetiredTask(
            f"task `{name}` was deleted, and no longer runs", hint="declare it again to run it"
        )
    near = difflib.get_close_matches(name, [row.name for row in names if row.live], n=1)
    return UnknownTask(name, did_you_mean=near[0] if near else None)
